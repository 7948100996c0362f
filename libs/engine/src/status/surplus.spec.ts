import { address } from '@pawl/contracts';
import type { Hello } from '@pawl/contracts';
import { expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const AT = address('acme/app');
const pod = { root: 'acme', workload: 'checkout', consumerId: 'pod-1' };

async function worldWithApp(): Promise<EngineWorld> {
  const world = await claimedWorld({ maxIncarnations: 60 });
  await world.put(AT.text, { a: 1 });
  await world.promote(AT.text);
  return world;
}

async function hello(world: EngineWorld, incarnation: string): Promise<void> {
  const runs = [{ address: AT.text, generation: 0, version: 0 }];
  const message: Hello = { format: 1, incarnation, labels: {}, runs };
  await world.use.hello(pod, message);
}

const live = async (world: EngineWorld): Promise<number> => {
  const outcome = await world.use.listConsumers(AT, { limit: 1_000, state: 'lagging' });
  if (!outcome.ok) throw new Error(outcome.problem.code);
  return outcome.value.items.length;
};

it('remembers the last incarnations only of a consumer that ends again and again', async () => {
  const world = await worldWithApp();
  for (let n = 0; n < 200; n += 1) {
    await hello(world, `i${n}`);
    await world.pass(20_000);
  }
  await hello(world, 'last');
  expect(await live(world)).toBe(1);
});

it('forgets none that lives, however many processes call themselves the same', async () => {
  const world = await worldWithApp();
  for (let n = 0; n < 50; n += 1) await hello(world, `i${n}`);
  expect(await live(world)).toBe(50);
});
