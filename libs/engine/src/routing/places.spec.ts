import { expect, it } from 'vitest';
import { Places } from './places.js';

function takeAll(places: Places, shards: readonly number[], owner: string | null) {
  const taken: (() => void)[] = [];
  for (const shard of shards) {
    for (let leave = places.take(shard, owner); leave; leave = places.take(shard, owner)) {
      taken.push(leave);
    }
  }
  return taken;
}

it('gives one shard a quarter, one owner half of what others leave, and another always some', () => {
  const places = new Places(16);
  expect(takeAll(places, [1], 'a')).toHaveLength(4);
  expect(takeAll(places, [2, 3, 4], 'a')).toHaveLength(4);
  expect(takeAll(places, [5, 6, 7, 8], 'b')).toHaveLength(4);
  expect(takeAll(places, [9, 10], 'c')).toHaveLength(2);
  expect(takeAll(places, [11], 'd')).toHaveLength(1);
});

it('takes all shards that nobody owns for those of one owner', () => {
  const places = new Places(16);
  expect(takeAll(places, [1, 2, 3, 4], null)).toHaveLength(8);
  expect(places.take(5, 'a')).toBeTypeOf('function');
});

it('has room again for what left, also when the shard has another owner by then', () => {
  const places = new Places(4);
  const leave = places.take(1, 'a');
  expect(places.take(1, 'b')).toBeUndefined();
  leave?.();
  expect(takeAll(places, [1, 2, 3], 'a')).toHaveLength(2);
});
