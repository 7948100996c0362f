import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { releaseEventSchema } from '@pawl/contracts';
import { seededRng } from '@pawl/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeWebhookOutbox } from '../testing/fake-webhook-outbox.js';
import { GIVE_UP_MS } from './endpoint-turn.js';
import { FIRST_RETRY_MS, LONGEST_RETRY_AFTER_MS, LONGEST_RETRY_MS } from './retry-wait.js';
import { ENDPOINT, LATER, TAKEN, WebhookWorld } from './webhook-world.fixture.js';
import type { SentWebhook } from './webhook-sender.port.js';

let world: WebhookWorld;

beforeEach(async () => {
  world = new WebhookWorld();
  await world.outbox.begin([ENDPOINT]);
});

describe('webhooks', () => {
  it('tell each transition once, in order, as an event of CloudEvents', async () => {
    world.outbox.append(world.promote(1, { reason: 'first', message: 'canary: stage 1 of 3' }));
    world.outbox.append({ ...world.promote(2), kind: 'definition' });
    world.outbox.append(world.promote(2, { action: 'advance', author: 'pawl', forced: true }));
    expect(await world.node('a').run(ENDPOINT)).toBeNull();
    expect(await world.node('a').run(ENDPOINT)).toBeNull();
    expect(world.versions()).toEqual([1, 2]);
    const [first, second] = world.sent.map(({ event }) => event);
    expect(first).toEqual({
      specversion: '1.0',
      id: first?.id,
      source: 'urn:pawl:main/test',
      type: 'pawl.release.promote',
      subject: 'acme/app:limits',
      time: first?.time,
      datacontenttype: 'application/json',
      data: world.promote(1, { reason: 'first', message: 'canary: stage 1 of 3' }),
    });
    expect(second?.type).toBe('pawl.release.advance');
    const ajv = new Ajv2020({ strict: false });
    (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
    const isEvent = ajv.compile(releaseEventSchema);
    for (const { event } of world.sent)
      expect([isEvent(event), isEvent.errors]).toEqual([true, null]);
    expect(world.counted).toEqual({ delivered: 2, failed: 0, givenUp: 0 });
  });

  it('send what failed again, under the same id, ever more seldom, and nothing of its address before', async () => {
    const a = world.node('a');
    world.outbox.append(world.promote(1));
    world.outbox.append(world.promote(2));
    world.answer = () => LATER;
    const waits: (number | null)[] = [];
    for (let tries = 0; tries < 12; tries += 1) {
      const wait = await a.run(ENDPOINT);
      waits.push(wait);
      expect(await a.run(ENDPOINT)).toBeNull();
      world.time.advance(wait ?? 0);
    }
    expect(waits.slice(0, 4)).toEqual([1, 2, 4, 8].map((times) => times * FIRST_RETRY_MS));
    expect(waits.at(-1)).toBe(LONGEST_RETRY_MS);
    expect(world.versions(false)).toEqual(Array.from({ length: 12 }, () => 1));
    world.answer = () => TAKEN;
    await a.run(ENDPOINT);
    expect(world.versions()).toEqual([1, 2]);
    expect(new Set(world.sent.map(({ event }) => event.id)).size).toBe(2);
    expect(world.counted).toEqual({ delivered: 2, failed: 12, givenUp: 0 });
    expect(world.logged).toEqual([
      'a webhook was not taken; will be tried again',
      'a webhook was set aside, with what follows at its address',
      'webhooks are taken again',
    ]);
    expect(await world.outbox.readSetAside(ENDPOINT)).toEqual([]);
  });

  it('wait by chance between half of the time and all of it, and as long as they are asked to', async () => {
    const waits = new Set<number>();
    for (let seed = 0; seed < 20; seed += 1) {
      world.outbox = new FakeWebhookOutbox(world.time);
      await world.outbox.begin([ENDPOINT]);
      world.outbox.append(world.promote(1));
      world.answer = () => LATER;
      const wait = (await world.node('a', seededRng(seed)).run(ENDPOINT)) ?? 0;
      expect(wait).toBeGreaterThanOrEqual(FIRST_RETRY_MS / 2);
      expect(wait).toBeLessThanOrEqual(FIRST_RETRY_MS);
      waits.add(wait);
      world.time.advance(wait);
      world.answer = () => ({ ...LATER, retryAfterMs: 90_000 });
      expect(await world.node('a').run(ENDPOINT)).toBe(90_000);
      world.time.advance(90_000);
      world.answer = () => ({ ...LATER, retryAfterMs: Infinity });
      expect(await world.node('a').run(ENDPOINT)).toBe(LONGEST_RETRY_AFTER_MS);
    }
    expect(waits.size).toBeGreaterThan(10);
  });

  it('give up what is older than a day, count it, say so once, and send the rest', async () => {
    for (let version = 1; version <= 150; version += 1) world.outbox.append(world.promote(version));
    world.time.advance(GIVE_UP_MS + 1);
    world.outbox.append(world.promote(151));
    world.answer = () => LATER;
    const a = world.node('a');
    const wait = await a.run(ENDPOINT);
    world.time.advance(wait ?? 0);
    world.answer = () => TAKEN;
    await a.run(ENDPOINT);
    expect(world.versions()).toEqual([151]);
    expect(world.counted).toEqual({ delivered: 1, failed: 1, givenUp: 150 });
    expect(world.logged.filter((line) => line.includes('given up'))).toHaveLength(2);
  });

  it('give up nothing because the clock of an owner is days ahead, or behind', async () => {
    for (const aheadMs of [3 * GIVE_UP_MS, -3 * GIVE_UP_MS]) {
      world.outbox.append(
        world.promote(1, { at: new Date(world.time.wallMs() + aheadMs).toISOString() }),
      );
    }
    expect(await world.node('a').run(ENDPOINT)).toBeNull();
    expect(world.versions()).toEqual([1, 1]);
    expect(world.counted.givenUp).toBe(0);
    world.time.advance(GIVE_UP_MS + 1);
    world.outbox.append(world.promote(2, { at: new Date(0).toISOString() }));
    await world.node('a').run(ENDPOINT);
    expect(world.versions()).toEqual([1, 1, 2]);
  });

  it('give up what is too old in turns like everything else, and no further once stopped', async () => {
    for (let version = 1; version <= 350; version += 1) world.outbox.append(world.promote(version));
    world.time.advance(GIVE_UP_MS + 1);
    const a = world.node('a');
    let pages = 0;
    world.onGivenUp = () => {
      pages += 1;
      if (pages === 1) world.time.advance(60_000);
      if (pages === 2) a.stop();
    };
    expect(await a.run(ENDPOINT)).toBe(0);
    expect(world.counted.givenUp).toBe(100);
    expect(await a.run(ENDPOINT)).toBeNull();
    expect(world.counted.givenUp).toBe(200);
    await world.node('b').run(ENDPOINT);
    expect(world.counted.givenUp).toBe(350);
  });

  it('are sent by one node at a time, and by the other once the first is gone', async () => {
    world.outbox.append(world.promote(1));
    world.outbox.append(world.promote(2));
    let goOn = (): void => undefined;
    const reached = new Promise<void>((told) => {
      world.answer = (event) => {
        if (event.data.releaseVersion === 2) return TAKEN;
        told();
        return new Promise<SentWebhook>((resolve) => (goOn = () => resolve(TAKEN)));
      };
    });
    const paused = world.node('a').run(ENDPOINT);
    await reached;
    const b = world.node('b');
    expect(await b.run(ENDPOINT)).toBeNull();
    expect(world.sent).toEqual([]);
    world.time.advance(60_000);
    world.answer = () => TAKEN;
    await b.run(ENDPOINT);
    goOn();
    await paused;
    expect(world.sent.map((one) => [one.node, one.event.data.releaseVersion])).toEqual([
      ['b', 1],
      ['b', 2],
      ['a', 1],
    ]);
    expect(new Set(world.sent.map(({ event }) => event.id)).size).toBe(2);
    expect(await b.run(ENDPOINT)).toBeNull();
    expect(world.sent).toHaveLength(3);
  });

  it('look again for whoever was refused meanwhile on this node', async () => {
    const a = world.node('a');
    world.outbox.append(world.promote(1));
    const giveBack = world.outbox.giveBack.bind(world.outbox);
    const read = world.outbox.read.bind(world.outbox);
    world.outbox.giveBack = async (lease) => {
      await giveBack(lease);
      world.outbox.read = async (...page) => {
        const found = await read(...page);
        world.outbox.read = read;
        world.outbox.append(world.promote(2));
        expect(await a.run(ENDPOINT)).toBeNull();
        return found;
      };
      world.outbox.giveBack = giveBack;
    };
    await a.run(ENDPOINT);
    expect(world.versions()).toEqual([1, 2]);
  });

  it('look again for whoever was refused meanwhile on another node', async () => {
    const [a, b] = [world.node('a'), world.node('b')];
    world.outbox.append(world.promote(1));
    world.answer = async (event) => {
      if (event.data.releaseVersion === 1) {
        world.outbox.append(world.promote(2));
        await b.run(ENDPOINT);
      }
      return TAKEN;
    };
    const giveBack = world.outbox.giveBack.bind(world.outbox);
    world.outbox.giveBack = async (lease) => {
      world.outbox.giveBack = giveBack;
      world.outbox.append(world.promote(3));
      await b.run(ENDPOINT);
      await giveBack(lease);
    };
    await a.run(ENDPOINT);
    expect(world.sent.map((one) => [one.node, one.event.data.releaseVersion])).toEqual([
      ['a', 1],
      ['a', 2],
      ['a', 3],
    ]);
  });

  it('wait while something may still be committed before what is there', async () => {
    world.outbox.append(world.promote(1));
    world.outbox.unsettled = true;
    expect(await world.node('a').run(ENDPOINT)).toBeGreaterThan(0);
    expect(world.sent).toEqual([]);
    world.outbox.unsettled = false;
    await world.node('b').run(ENDPOINT);
    expect(world.versions()).toEqual([1]);
  });

  it('are looked for again soon where whoever was refused committed behind one under way', async () => {
    world.outbox.append(world.promote(1));
    const giveBack = world.outbox.giveBack.bind(world.outbox);
    world.outbox.giveBack = (lease) => {
      world.outbox.append(world.promote(2));
      world.outbox.unsettled = true;
      return giveBack(lease);
    };
    expect(await world.node('a').run(ENDPOINT)).toBeGreaterThan(0);
    expect(world.versions()).toEqual([1]);
  });

  it('neither stall nor repeat an id when the history was put back', async () => {
    const a = world.node('a');
    for (const version of [1, 2, 3]) world.outbox.append(world.promote(version));
    await a.run(ENDPOINT);
    world.outbox.putBack(1);
    await a.run(ENDPOINT);
    world.outbox.append(world.promote(2, { author: 'bob' }));
    await a.run(ENDPOINT);
    expect(world.versions()).toEqual([1, 2, 3, 2]);
    expect(new Set(world.sent.map(({ event }) => event.id)).size).toBe(4);
  });

  it('count no failure when they are cut off by a stop, and leave the rest to others', async () => {
    const [a, b] = [world.node('a'), world.node('b')];
    world.outbox.append(world.promote(1));
    world.answer = () => {
      a.stop();
      return LATER;
    };
    expect(await a.run(ENDPOINT)).toBeNull();
    expect(world.counted.failed).toBe(0);
    world.answer = () => TAKEN;
    await b.run(ENDPOINT);
    expect(world.versions()).toEqual([1]);
  });
});
