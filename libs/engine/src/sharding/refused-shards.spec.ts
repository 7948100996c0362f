import { shardOf } from '@pawl/contracts';
import { ManualTime } from '@pawl/kernel';
import { expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import { RefusedShards } from './refused-shards.js';

/** What was told, each with its shards, and the times at which that happened. */
function listener(time: ManualTime) {
  const told: unknown[] = [];
  const other = (): void => undefined;
  const warn = (_: string, fields?: object): void =>
    void told.push({ atMs: time.monotonicMs(), ...fields });
  return { told, log: { debug: other, info: other, warn, error: other } };
}

it('tells what comes within a second as one, and what comes later as another', () => {
  const timer = new ManualTime(0);
  const { told, log } = listener(timer);
  const refused = new RefusedShards({ timer, log });
  refused.add(10);
  timer.advance(900);
  for (const shard of [2, 10]) refused.add(shard);
  expect(told).toEqual([]);
  timer.advance(200);
  refused.add(3);
  timer.advance(1_000);
  expect(told).toMatchObject([
    { count: 2, shards: [2, 10] },
    { count: 1, shards: [3] },
  ]);
});

it('tells at its stop what waits, and what comes later at once, without a timer', () => {
  const time = new ManualTime(0);
  const { told, log } = listener(time);
  let timers = 0;
  const after: ManualTime['after'] = (...args) => {
    timers += 1;
    const handle = time.after(...args);
    return { cancel: () => void ((timers -= 1), handle.cancel()) };
  };
  const refused = new RefusedShards({ timer: { after }, log });
  refused.add(1);
  expect(timers).toBe(1);
  refused.stop();
  refused.add(2);
  expect(timers).toBe(0);
  time.advance(5_000);
  expect(told).toMatchObject([
    { atMs: 0, count: 1, shards: [1] },
    { atMs: 0, count: 1, shards: [2] },
  ]);
});

const refusals = (logged: readonly string[]): number =>
  logged.filter((line) => line.startsWith('PostgreSQL refused this owner')).length;

it('is one line for all shards of an owner whose fences were taken', async () => {
  const world = await claimedWorld();
  const roots = Array.from({ length: 100 }, (_, index) => `root-${index}`);
  const root = (shard: number): string => roots.find((name) => shardOf(name, 4) === shard) ?? '';
  for (const shard of [0, 1, 2, 3]) await world.fenceOff(root(shard));
  await world.pass(5_000);
  expect(new Set(world.rechecked)).toEqual(new Set([0, 1, 2, 3]));
  expect(refusals(world.logged)).toBe(1);
});

it('is told when the engine stops, if not before', async () => {
  const world = await claimedWorld();
  await world.fenceOff('acme');
  await world.put('acme/app', { a: 1 });
  expect(refusals(world.logged)).toBe(0);
  await world.engine.stop();
  expect(refusals(world.logged)).toBe(1);
});

it('is told where a commit finds the shard read-only that memory has not', async () => {
  const world = await claimedWorld();
  const fence = { shard: shardOf('acme', 4), token: world.token };
  const held = { generation: 1, version: 9 };
  await world.truth.declareBehind(fence, 1, [
    { address: 'acme/app', held, has: { generation: 1, version: 1 } },
  ]);
  await world.put('acme/app', { a: 1 });
  expect(world.rechecked).toEqual([fence.shard]);
  await world.engine.stop();
  expect(refusals(world.logged)).toBe(1);
});
