import { expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';

it('asks in its turn: many claims at once hold up neither the watch nor the checks of fences', async () => {
  const world = await claimedWorld();
  const readFences = world.truth.readFences.bind(world.truth);
  const asked: unknown[] = [];
  world.truth.readFences = (shards, ...options: unknown[]) => {
    asked.push([shards, ...options]);
    return readFences(shards);
  };
  await world.claimAll();
  const inTurn = [0, 1, 2, 3].map((shard) => [[shard], { inTurn: true }]);
  expect(asked).toEqual(expect.arrayContaining(inTurn));
});
