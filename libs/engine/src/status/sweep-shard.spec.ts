import { shardOf } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { FencingToken } from '../sharding/fence.js';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const DAY_MS = 24 * 3_600_000;

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
});

describe('a sweep', () => {
  it('keeps an idempotency key for 24 hours, and no longer', async () => {
    const context = { actor: 'ada', idempotency: { key: 'PUT /x k', requestHash: 'h' } };
    const put = () => world.put('acme/app', { a: 1 }, { kind: 'match-none' }, context);
    const first = await put();
    expect(first).toMatchObject({ value: { status: 201, replayed: false } });
    world.time.advance(DAY_MS);
    await world.sweepAll('idempotency');
    expect(await put()).toEqual({ ok: true, value: { ...valueOf(first), replayed: true } });
    world.time.advance(1);
    await world.sweepAll('idempotency');
    expect(code(await put())).toBe('version-mismatch');
  });

  it('keeps the key of what a node sent on for ten minutes, and no longer', async () => {
    const context = { actor: 'ada', idempotency: { key: 'routed 7', requestHash: 'h' } };
    const put = () => world.put('acme/app', { a: 1 }, { kind: 'match-none' }, context);
    await put();
    world.time.advance(10 * 60_000);
    await world.sweepAll('idempotency');
    expect(await put()).toMatchObject({ value: { replayed: true } });
    world.time.advance(1);
    await world.sweepAll('idempotency');
    expect(code(await put())).toBe('version-mismatch');
  });

  it('asks no clock of a node how old a key is', async () => {
    const context = { actor: 'ada', idempotency: { key: 'routed 7', requestHash: 'h' } };
    const put = () => world.put('acme/app', { a: 1 }, { kind: 'match-none' }, context);
    await put();
    const { time } = world;
    const wallMs = time.wallMs.bind(time);
    time.wallMs = () => wallMs() + DAY_MS;
    await world.sweepAll('idempotency');
    expect(await put()).toMatchObject({ value: { replayed: true } });
  });

  it('keeps contents that the published snapshots name, while others wait to be published', async () => {
    const { publisher } = world;
    await world.put('acme/app', { big: 'x'.repeat(20_000) });
    await world.promote('acme/app');
    await world.settle();
    const [old] = [...publisher.contents.keys()];
    const publish = publisher.publish.bind(publisher);
    publisher.publish = () => Promise.reject(new DistributionUnavailableError('refused'));
    await world.over('acme/app', { big: 'y'.repeat(20_000) });
    await world.promote('acme/app');
    await world.pass(1_000);
    world.time.advance(2 * DAY_MS);
    await world.sweepAll('contents');
    expect([...publisher.contents.keys()]).toContain(old);
    publisher.publish = publish;
    await world.pass(10_000);
    await world.sweepAll('contents');
    expect([...publisher.contents.keys()]).not.toContain(old);
    expect(await world.read('acme/app')).toEqual({ big: 'y'.repeat(20_000) });
  });

  it('collects nothing for an owner that the fence has gone from while contents are looked through', async () => {
    const { publisher } = world;
    for (const big of ['x', 'y']) {
      const write = big === 'x' ? world.put.bind(world) : world.over.bind(world);
      await write('acme/app', { big: big.repeat(20_000) });
      await world.promote('acme/app');
      await world.settle();
    }
    world.time.advance(2 * DAY_MS);
    const before = [...publisher.contents.keys()];
    const collect = publisher.collectContents.bind(publisher);
    publisher.collectContents = async (root, collection) => {
      const shard = shardOf(root, 4);
      await world.truth.raiseFence(
        { shard, token: (world.token + 1n) as FencingToken },
        'the next',
      );
      return collect(root, collection);
    };
    await world.sweepAll('contents');
    expect(before.length).toBe(2);
    expect([...publisher.contents.keys()]).toEqual(before);
  });
});

function valueOf<T>(outcome: { readonly ok: boolean; readonly value?: T }): T {
  if (outcome.value === undefined) throw new Error('refused');
  return outcome.value;
}
