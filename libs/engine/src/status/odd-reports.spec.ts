import { address } from '@pawl/contracts';
import type { Ack, Hello } from '@pawl/contracts';
import { parseMessage } from '@pawl/contracts/validate';
import { beforeEach, expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const pod = (consumerId: string) => ({ root: 'acme', workload: 'checkout', consumerId });
const hello = (version: number, at = 'acme/app'): Hello => ({
  format: 1,
  incarnation: 'i1',
  labels: {},
  runs: [{ address: at, generation: 1, version }],
});

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put('acme/app', { a: 1 });
  await world.promote('acme/app');
  await world.settle();
});

it('refuses an ack that says it is older than a week', () => {
  const item = { address: 'acme/app', generation: 1, version: 2, state: 'applied' };
  const ack = (ageMs: number): unknown => ({
    format: 1,
    incarnation: 'i',
    items: [{ ...item, ageMs }],
  });
  expect(parseMessage('ack', ack(1000)).ok).toBe(true);
  expect(parseMessage('ack', ack(Number.MAX_SAFE_INTEGER)).ok).toBe(false);
});

it('does not count other content under the same version, or a version never published, as applied', async () => {
  const report = (consumerId: string, version: number, hash: string): void => {
    const item = { address: 'acme/app', generation: 1, version, hash, state: 'applied', ageMs: 1 };
    const ack = { format: 1, incarnation: 'i1', items: [item] } as Ack;
    world.use.ack(pod(consumerId), ack);
  };
  await world.use.hello(pod('a'), hello(0));
  await world.use.hello(pod('b'), hello(0));
  await world.use.hello(pod('c'), hello(0));
  report('a', 2, '0'.repeat(64));
  report('b', 9_999, '0'.repeat(64));
  report('c', 2, (await world.published('acme/app')).hash);
  expect(await world.use.getRollout(address('acme/app'))).toMatchObject({
    value: { consumers: { live: 3, applied: 1, lagging: 2 }, converged: false },
  });
  expect(world.incidents).toContain('other-content');
});

it('keeps the whole reason of a rejection when heartbeats repeat it cut short', async () => {
  const reason = 'limits.maxItems is too high: '.repeat(20);
  const shown = async () => {
    const list = await world.use.listConsumers(address('acme/app'), { limit: 1 });
    return list.ok ? list.value.items[0]?.reason : undefined;
  };
  const beat = (text: string, version: number) => {
    const rejected = { generation: 1, version, reason: text };
    const runs = [{ address: 'acme/app', generation: 1, version: 1, rejected }];
    return world.use.hello(pod('a'), { ...hello(1), runs });
  };
  await beat(reason.slice(0, 200), 2);
  const item = { address: 'acme/app', generation: 1, version: 2, state: 'rejected', reason };
  world.use.ack(pod('a'), { format: 1, incarnation: 'i1', items: [item] } as unknown as Ack);
  expect(await shown()).toBe(reason);
  await beat(reason.slice(0, 200), 2);
  expect(await shown()).toBe(reason);
  await beat('another', 3);
  expect(await shown()).toBe('another');
});

it('gives every consumer its slot back after a restart', async () => {
  for (const id of ['c', 'a', 'b']) await world.use.hello(pod(id), hello(2));
  await world.pass(1_100);
  await world.restart();
  const list = await world.use.listConsumers(address('acme/app'), { limit: 10 });
  const slots = list.ok ? list.value.items.map(({ consumerId, slot }) => [consumerId, slot]) : [];
  expect(slots).toEqual([
    ['a', 1],
    ['b', 2],
    ['c', 0],
  ]);
});

it('leaves nothing of a forgotten address behind, and continues above what it had', async () => {
  await world.use.hello(pod('a'), hello(0, 'acme/app/eu'));
  await world.over('acme/app', { a: 2 });
  await world.promote('acme/app');
  const before = await world.published('acme/app/eu');
  await world.use.hello(pod('a'), hello(2));
  await world.sweepAll('consumers');
  expect(world.publisher.snapshots.has(address('acme/app/eu').text)).toBe(true);
  world.time.advance(7 * 24 * 3_600_000 + 60_000);
  await world.sweepAll('consumers');
  expect(world.publisher.snapshots.has(address('acme/app/eu').text)).toBe(false);
  await world.over('acme/app', { a: 3 });
  await world.promote('acme/app');
  await world.use.hello(pod('a'), hello(0, 'acme/app/eu'));
  expect(await world.read('acme/app/eu')).toEqual({ a: 3 });
  expect((await world.published('acme/app/eu')).version).toBeGreaterThan(before.version);
  expect(world.incidents).toEqual([]);
});
