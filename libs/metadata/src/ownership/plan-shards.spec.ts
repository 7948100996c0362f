import { describe, expect, it } from 'vitest';
import { fencingToken } from './fencing-token.js';
import { planShards } from './plan-shards.js';
import { wantedOwner } from './rendezvous.js';

const shards = Array.from({ length: 1024 }, (_, shard) => shard);

describe('rendezvous hashing', () => {
  it('spreads shards evenly, whatever order the nodes come in', () => {
    const nodes = ['node-1', 'node-2', 'node-3'];
    const counts = new Map<string | null, number>();
    for (const shard of shards) {
      const owner = wantedOwner(shard, nodes);
      expect(wantedOwner(shard, nodes.toReversed())).toBe(owner);
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    for (const node of nodes) expect(counts.get(node)).toBeGreaterThan(1024 / 3 / 1.25);
  });

  it('moves only what a node that comes or goes had', () => {
    const before = shards.map((shard) => wantedOwner(shard, ['a', 'b', 'c']));
    const after = shards.map((shard) => wantedOwner(shard, ['a', 'b', 'c', 'd']));
    after.forEach((owner, shard) => expect([before[shard], 'd']).toContain(owner));
    expect(wantedOwner(1, [])).toBeNull();
  });
});

describe('the plan', () => {
  it('counts members only once they have settled, unless none has', () => {
    const [old, fresh] = [
      { nodeId: 'a', seenForMs: Infinity },
      { nodeId: 'b', seenForMs: 10 },
    ];
    expect(new Set(planShards(64, [old, fresh], 1000))).toEqual(new Set(['a']));
    expect(new Set(planShards(64, [old, { ...fresh, seenForMs: 1000 }], 1000)).size).toBe(2);
    expect(new Set(planShards(64, [fresh], 1000))).toEqual(new Set(['b']));
    expect(new Set(planShards(64, [], 1000))).toEqual(new Set([null]));
  });
});

describe('a fencing token', () => {
  it('grows with the revision, and over any revision with the epoch', () => {
    expect(fencingToken('1', 2)).toBe(2n ** 48n + 2n);
    expect(fencingToken('2', 2) > fencingToken('1', 2 ** 48 - 1)).toBe(true);
    expect(fencingToken('32767', 2 ** 48 - 1)).toBe(2n ** 63n - 1n);
    expect(() => fencingToken('1', 2 ** 48)).toThrow(/48 bits/);
  });
});
