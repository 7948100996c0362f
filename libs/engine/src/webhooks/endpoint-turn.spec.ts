import type { AddressText, ReleaseEvent } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeWebhookOutbox } from '../testing/fake-webhook-outbox.js';
import {
  GIVE_UP_MS,
  GIVE_UP_REFUSED_MS,
  LONG_FAILURES,
  MAX_ASIDE,
  TRIES,
} from './endpoint-turn.js';
import { FIRST_RETRY_MS, LONGEST_RETRY_MS } from './retry-wait.js';
import { ENDPOINT, LATER, REFUSED, TAKEN, WebhookWorld } from './webhook-world.fixture.js';

let world: WebhookWorld;

beforeEach(async () => {
  world = new WebhookWorld();
  await world.outbox.begin([ENDPOINT]);
});

describe('a webhook that is refused', () => {
  const OTHER = { address: 'acme/other' as AddressText };
  const THIRD = { address: 'acme/third' as AddressText };
  const isOf = (event: ReleaseEvent, { address }: { address: string }): boolean =>
    event.subject === address;

  it('holds up what follows at its address, and nothing else', async () => {
    world.outbox.append(world.promote(1));
    world.outbox.append(world.promote(2, OTHER));
    world.outbox.append(world.promote(3));
    world.answer = (event) => (event.data.releaseVersion === 1 ? REFUSED : TAKEN);
    const a = world.node('a');
    const wait = await a.run(ENDPOINT);
    expect(wait).toBe(FIRST_RETRY_MS);
    expect(world.versions()).toEqual([2]);
    world.outbox.append(world.promote(4, OTHER));
    world.outbox.append(world.promote(5));
    await world.node('b').run(ENDPOINT);
    expect(world.versions()).toEqual([2, 4]);
    expect(await world.outbox.readStates([ENDPOINT])).toEqual([
      {
        ...{ endpoint: ENDPOINT, failures: 0, setAside: 1, reason: 'it answers 400' },
        setAsideRetryInMs: wait,
      },
    ]);
    world.answer = () => TAKEN;
    world.time.advance(wait ?? 0);
    expect(await world.node('b').run(ENDPOINT)).toBeNull();
    expect(world.versions()).toEqual([2, 4, 1, 3, 5]);
    expect(await world.outbox.readSetAside(ENDPOINT)).toEqual([]);
  });

  it('is given up an hour after it was written, and what follows there is sent', async () => {
    world.outbox.append(world.promote(1));
    world.outbox.append(world.promote(2));
    world.outbox.append(world.promote(3, OTHER));
    world.answer = (event) => (event.data.releaseVersion === 1 ? REFUSED : TAKEN);
    const a = world.node('a');
    let tries = 0;
    for (let wait = await a.run(ENDPOINT); wait !== null; wait = await a.run(ENDPOINT)) {
      world.time.advance(wait);
      tries += 1;
    }
    expect(world.versions()).toEqual([3, 2]);
    expect(world.time.monotonicMs()).toBeGreaterThan(GIVE_UP_REFUSED_MS);
    expect(world.time.monotonicMs()).toBeLessThan(GIVE_UP_REFUSED_MS + 2 * LONGEST_RETRY_MS);
    expect(tries).toBeLessThan(30);
    expect(world.counted.givenUp).toBe(1);
    expect(world.logged.at(-1)).toBe('webhooks were given up');
  });

  it('is tried once more where it is old already, so that a backlog goes on', async () => {
    for (const version of [1, 2, 3]) world.outbox.append(world.promote(version));
    world.time.advance(GIVE_UP_REFUSED_MS + 1);
    world.answer = () => REFUSED;
    const a = world.node('a');
    world.time.advance((await a.run(ENDPOINT)) ?? 0);
    expect(await a.run(ENDPOINT)).toBeNull();
    expect(world.versions(false)).toEqual([1, 1, 2, 3]);
    expect(world.counted.givenUp).toBe(3);
  });

  it('holds up the endpoint where too many addresses are set aside, and is given up all the same', async () => {
    const count = MAX_ASIDE + 1;
    const addresses = Array.from({ length: count }, (_, n) => `acme/app-${n}` as AddressText);
    for (const address of addresses) world.outbox.append(world.promote(1, { address }));
    world.outbox.append(world.promote(2, OTHER));
    world.answer = (event) => (isOf(event, OTHER) ? TAKEN : REFUSED);
    const a = world.node('a');
    expect(await a.run(ENDPOINT)).toBe(FIRST_RETRY_MS);
    expect(world.sent).toHaveLength(count);
    expect(await world.outbox.readSetAside(ENDPOINT)).toHaveLength(MAX_ASIDE);
    expect((await world.outbox.readStates([ENDPOINT]))[0]?.failures).toBe(1);
    world.time.advance(GIVE_UP_REFUSED_MS + 1);
    await a.run(ENDPOINT);
    expect(world.versions()).toEqual([2]);
    expect(world.counted.givenUp).toBe(count);
  });

  it('is given up by whoever comes after a node that died anywhere in between', async () => {
    const steps = ['setAside', 'advance', 'takeBack'] as const;
    for (const step of steps) {
      world.outbox = new FakeWebhookOutbox(world.time);
      world.sent = [];
      await world.outbox.begin([ENDPOINT]);
      for (const version of [1, 2]) world.outbox.append(world.promote(version));
      world.outbox.append(world.promote(3, OTHER));
      world.answer = (event) =>
        event.data.releaseVersion === 1 && world.sent.length < 3 ? REFUSED : TAKEN;
      const kept = world.outbox[step].bind(world.outbox) as (
        ...given: unknown[]
      ) => Promise<boolean>;
      let died = false;
      Object.assign(world.outbox, {
        [step]: async (...given: unknown[]) => {
          const done = await kept(...given);
          if (died) return done;
          died = true;
          throw new Error('killed');
        },
      });
      let turns = 0;
      for (let wait: number | null = 0; wait !== null && turns < 20; turns += 1) {
        world.time.advance(Math.max(60_000, wait));
        wait = await world
          .node(`n${turns}`)
          .run(ENDPOINT)
          .catch(() => 0);
      }
      expect(died, step).toBe(true);
      const ids = (of: string): unknown[] => [
        ...new Set(
          world.sent
            .filter(({ ok, event }) => ok && event.subject === of)
            .map(({ event }) => event.id),
        ),
      ];
      expect(ids('acme/app:limits'), step).toHaveLength(2);
      expect(ids(OTHER.address), step).toHaveLength(1);
      expect(await world.outbox.readSetAside(ENDPOINT), step).toEqual([]);
    }
  });

  it('lets the others go on after a while also where the endpoint breaks at it', async () => {
    world.outbox.append(world.promote(1));
    world.outbox.append(world.promote(2, OTHER));
    world.answer = (event) => (event.data.releaseVersion === 1 ? LATER : TAKEN);
    const a = world.node('a');
    for (let tries = 1; tries <= TRIES; tries += 1) {
      expect(world.versions()).toEqual([]);
      world.time.advance((await a.run(ENDPOINT)) ?? 0);
    }
    await a.run(ENDPOINT);
    expect(world.versions()).toEqual([2]);
    world.outbox.append(world.promote(3, THIRD));
    world.outbox.append(world.promote(4));
    await a.run(ENDPOINT);
    expect(world.versions()).toEqual([2, 3]);
    for (let wait = await a.run(ENDPOINT); wait !== null; wait = await a.run(ENDPOINT)) {
      world.time.advance(wait);
    }
    expect(world.versions()).toEqual([2, 3, 4]);
    expect(world.counted.givenUp).toBe(1);
    expect(world.time.monotonicMs()).toBeGreaterThan(GIVE_UP_MS);
  });
});

describe('an endpoint', () => {
  it('that is gone is sent nothing more until it is begun with again', async () => {
    world.outbox.append(world.promote(1));
    world.outbox.append(world.promote(2));
    world.answer = () => ({ ok: false, kind: 'gone', reason: 'it answers 410' });
    const a = world.node('a');
    expect(await a.run(ENDPOINT)).toBeNull();
    world.time.advance(60_000);
    expect(await a.run(ENDPOINT)).toBeNull();
    expect(world.versions(false)).toEqual([1]);
    expect(world.logged).toHaveLength(1);
    expect(world.logged[0]).toContain('switched off');
    const gone = { endpoint: ENDPOINT, failures: 0, setAside: 0, reason: 'it answers 410' };
    expect(await world.outbox.readStates([ENDPOINT])).toEqual([{ ...gone, goneForMs: 60_000 }]);
    world.answer = () => TAKEN;
    await world.outbox.begin([ENDPOINT]);
    await world.node('b').run(ENDPOINT);
    expect(world.versions()).toEqual([1, 2]);
  });

  it('that has failed for long is said to have once, also with what is set aside alone', async () => {
    world.outbox.append(world.promote(1));
    world.answer = () => LATER;
    const a = world.node('a');
    for (let tries = 0; tries < 2 * LONG_FAILURES; tries += 1) {
      world.time.advance((await a.run(ENDPOINT)) ?? 0);
    }
    expect(world.sent).toHaveLength(2 * LONG_FAILURES);
    expect(world.logged.filter((line) => line.includes('for long'))).toHaveLength(1);
    const [state] = await world.outbox.readStates([ENDPOINT]);
    expect(state?.failures).toBe(2 * LONG_FAILURES);
    expect(state?.failingForMs).toBeGreaterThan(3_600_000);
    world.answer = () => TAKEN;
    await a.run(ENDPOINT);
    expect(await world.outbox.readStates([ENDPOINT])).toEqual([
      { endpoint: ENDPOINT, failures: 0, setAside: 0 },
    ]);
  });
});
