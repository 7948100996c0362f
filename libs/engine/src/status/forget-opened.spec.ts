import { address } from '@pawl/contracts';
import type { Hello } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import { OutcomeUnknownError, TruthUnavailableError } from '../sharding/truth-store.port.js';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const EU = address('acme/app/eu');
const WEEK_MS = 7 * 24 * 3_600_000;
const pod = { root: 'acme', workload: 'checkout', consumerId: 'pod-1' };

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put('acme/app', { a: 1 });
  await world.promote('acme/app');
  await hello();
  await world.published(EU.text);
  await grow();
});

async function hello(incarnation = 'i1'): Promise<void> {
  const runs = [{ address: EU.text, generation: 0, version: 0 }];
  const message: Hello = { format: 1, incarnation, labels: {}, runs };
  await world.use.hello(pod, message);
  await world.settle();
}

/** Everything is a week older, and nobody was heard meanwhile. */
async function grow(): Promise<void> {
  await world.pass(1_000);
  world.time.suspend(WEEK_MS + 60_000);
}

const sweep = (): Promise<void> => world.sweepAll('consumers');
const isStored = (): boolean => world.publisher.snapshots.has(EU.text);
const isKnown = async (): Promise<boolean> => {
  const effective = await world.use.getEffective(EU, { explain: false });
  if (!effective.ok) expect(effective.problem.code).toBe('not-found');
  return effective.ok;
};

describe('forgetting an opened address', () => {
  it('takes away what is published, and then the address', async () => {
    await sweep();
    expect([isStored(), await isKnown()]).toEqual([false, false]);
    await world.restart();
    expect([isStored(), await isKnown()]).toEqual([false, false]);
  });

  it('that crashes in between has forgotten nothing, and does it later', async () => {
    let reached = (): void => undefined;
    const atCommit = new Promise<void>((resolve) => (reached = resolve));
    world.truth.beforeCommit = () => {
      reached();
      return new Promise(() => undefined);
    };
    void sweep();
    await atCommit;
    expect(isStored()).toBe(false);
    world.truth.beforeCommit = () => Promise.resolve();
    await world.restart();
    expect([isStored(), await isKnown()]).toEqual([true, true]);
    await grow();
    await sweep();
    expect([isStored(), await isKnown()]).toEqual([false, false]);
  });

  it.each([
    ['PostgreSQL does not answer', () => new TruthUnavailableError('down')],
    ['the outcome is not known', () => new OutcomeUnknownError('cut')],
  ])('is undone when %s', async (_, failure) => {
    world.truth.beforeCommit = () => {
      world.truth.beforeCommit = () => Promise.resolve();
      return Promise.reject(failure());
    };
    await expect(sweep()).rejects.toThrow();
    await world.pass(1_000);
    expect([isStored(), await isKnown()]).toEqual([true, true]);
  });

  it('is undone also when NATS goes away before the outcome is looked up', async () => {
    world.truth.beforeCommit = () => {
      world.truth.beforeCommit = () => Promise.resolve();
      world.publisher.up = false;
      return Promise.reject(new OutcomeUnknownError('cut'));
    };
    await expect(sweep()).rejects.toThrow();
    await world.pass(1_000);
    world.publisher.up = true;
    await world.pass(10_000);
    expect([isStored(), await isKnown()]).toEqual([true, true]);
  });

  it('does nothing while NATS does not answer', async () => {
    world.publisher.up = false;
    await expect(sweep()).rejects.toThrow(DistributionUnavailableError);
    world.publisher.up = true;
    await world.pass(10_000);
    expect([isStored(), await isKnown()]).toEqual([true, true]);
    await sweep();
    expect([isStored(), await isKnown()]).toEqual([false, false]);
  });

  it('leaves what a consumer opens anew meanwhile', async () => {
    const { version, hash } = await world.published(EU.text);
    const remove = world.publisher.remove.bind(world.publisher);
    world.publisher.remove = async (at, token) => {
      await hello('i2');
      await remove(at, token);
    };
    await sweep();
    await world.settle();
    expect([isStored(), await isKnown()]).toEqual([true, true]);
    expect(await world.published(EU.text)).toMatchObject({ version, hash });
    expect(world.incidents).toEqual([]);
  });

  it('waits for a publication of it that is under way', async () => {
    let goOn = (): void => undefined;
    const publish = world.publisher.publish.bind(world.publisher);
    world.publisher.publish = async (at, snapshot) => {
      if (at.text === EU.text) await new Promise<void>((resolve) => (goOn = resolve));
      return publish(at, snapshot);
    };
    await world.over('acme/app', { a: 2 });
    expect(code(await world.promote('acme/app'))).toBe('ok');
    await world.settle();
    await sweep();
    goOn();
    await world.settle();
    expect([isStored(), await isKnown()]).toEqual([true, true]);
    await sweep();
    expect([isStored(), await isKnown()]).toEqual([false, false]);
  });
});

describe('forgetting an opened address where a release in stages grew', () => {
  const ref = (consumerId: string) => ({ ...pod, consumerId });
  const say = async (consumerId: string): Promise<void> => {
    const runs = [{ address: EU.text, generation: 0, version: 0 }];
    await world.use.hello(ref(consumerId), { format: 1, incarnation: 'i1', labels: {}, runs });
    await world.settle();
  };

  beforeEach(async () => {
    await sweep();
    await world.over('acme/app', { a: 2 });
    const stages = [
      { percent: 30, bakeMs: WEEK_MS },
      { percent: 100, bakeMs: WEEK_MS },
    ];
    expect(code(await world.begin('acme/app', { stages, gates: [] }))).toBe('ok');
  });

  it('never gives it a version again that it had', async () => {
    await say('pod-1');
    for (let n = 2; n < 12; n += 1) {
      await say(`pod-${n}`);
      await world.pass(6_000);
    }
    const before = await world.published(EU.text);
    const above = await world.published('acme/app');
    await grow();
    await sweep();
    expect([isStored(), await isKnown()]).toEqual([false, false]);
    const raised = await world.published('acme/app');
    expect(raised.version).toBeGreaterThan(above.version);
    expect([raised.releases, raised.variants]).toEqual([above.releases, above.variants]);
    await say('other');
    expect((await world.published(EU.text)).version).toBe(before.version + 1);
    await world.restart();
    expect((await world.published(EU.text)).version).toBe(before.version + 1);
    expect((await world.published('acme/app')).hash).toBe(raised.hash);
    expect(world.incidents).toEqual([]);
  });

  it('does not name others under the version that named those before', async () => {
    await say('pod-1');
    const before = await world.published(EU.text);
    await grow();
    await sweep();
    for (let n = 2; n < 9; n += 1) {
      const message = { format: 1, incarnation: 'i1', labels: {}, runs: [] } as const;
      await world.use.hello(ref(`pod-${n}`), { ...message, runs: [] });
    }
    await say('pod-8');
    const after = await world.published(EU.text);
    expect(after.version).toBeGreaterThan(before.version);
  });

  it('changes nothing above when it is not committed', async () => {
    await say('pod-1');
    const above = await world.published('acme/app');
    await grow();
    world.truth.beforeCommit = () => {
      world.truth.beforeCommit = () => Promise.resolve();
      return Promise.reject(new TruthUnavailableError('down'));
    };
    await expect(sweep()).rejects.toThrow();
    await world.pass(1_000);
    expect(await world.published('acme/app')).toEqual(above);
    expect([isStored(), await isKnown()]).toEqual([true, true]);
  });

  it('leaves what lies above alone where nothing had grown', async () => {
    expect(code(await world.release('acme/app', { action: 'abort' }))).toBe('ok');
    await say('pod-1');
    const above = await world.published('acme/app');
    await grow();
    await sweep();
    expect(await isKnown()).toBe(false);
    expect(await world.published('acme/app')).toBe(above);
  });
});
