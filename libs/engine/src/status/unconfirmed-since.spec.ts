import { address } from '@pawl/contracts';
import type { Hello } from '@pawl/contracts';
import { beforeEach, expect, it } from 'vitest';
import { OutcomeUnknownError, TruthUnavailableError } from '../sharding/truth-store.port.js';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const TTL_MS = 5_000;
const APP = address('acme/app');
const HELLO: Hello = {
  format: 1,
  incarnation: 'i1',
  labels: {},
  runs: [{ address: 'acme/app', generation: 1, version: 2 }],
};

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put('acme/app', { a: 1 });
  await world.promote('acme/app');
  await world.settle();
});

/** Whether it has converged, and the ages of rollout and consumers in milliseconds, 0 without. */
async function told() {
  const [rollout, page] = await Promise.all([
    world.use.getRollout(APP),
    world.use.listConsumers(APP, { limit: 10 }),
  ]);
  if (!rollout.ok || !page.ok) throw new Error('status is told at any time');
  expect([rollout.value.consumers.live, page.value.items.length]).toEqual([1, 1]);
  const age = (asOf?: string) => (asOf === undefined ? 0 : world.time.wallMs() - Date.parse(asOf));
  return [rollout.value.converged, age(rollout.value.asOf), age(page.value.asOf)];
}

/** Time passes, and the consumer is heard meanwhile. */
async function pass(ms: number): Promise<void> {
  await world.pass(ms);
  await world.use.hello({ root: 'acme', workload: 'w', consumerId: 'c' }, HELLO);
}

it('status of a shard whose fence was not confirmed for a lease has an age, and no convergence', async () => {
  await pass(TTL_MS / 3);
  expect(await told()).toEqual([true, 0, 0]);
  world.truth.beforeFences = () => Promise.reject(new TruthUnavailableError('down'));
  await pass(TTL_MS - 1_000);
  expect(await told()).toEqual([true, 0, 0]);
  await pass(2_000);
  const [converged, age, sameAge] = await told();
  expect([converged, sameAge]).toEqual([false, age]);
  expect(age).toBeGreaterThan(TTL_MS);
  expect(age).toBeLessThan(2 * TTL_MS);
  await pass(TTL_MS);
  expect(await told()).toEqual([false, Number(age) + TTL_MS, Number(age) + TTL_MS]);
  world.truth.beforeFences = () => Promise.resolve();
  await pass(TTL_MS / 2);
  expect(await told()).toEqual([true, 0, 0]);
});

it('says when it was confirmed while it is not known what became of a commit, nor what is released', async () => {
  await pass(TTL_MS / 3);
  world.truth.afterCommit = () => {
    world.truth.afterCommit = () => undefined;
    throw new OutcomeUnknownError('connection lost');
  };
  await world.over('acme/app', { a: 2 });
  const rollout = await world.use.getRollout(APP);
  const asOf = expect.any(String) as string;
  expect(rollout).toMatchObject({ value: { converged: false, asOf } });
  await pass(1_000);
  expect(await told()).toEqual([true, 0, 0]);
});
