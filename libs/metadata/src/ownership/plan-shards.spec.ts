import { describe, expect, it } from 'vitest';
import { fencingToken } from './fencing-token.js';
import { planChangesIn, planShard, settleMs } from './plan-shards.js';
import type { PlannedMember } from './plan-shards.js';
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
  const times = { settleMs: 1000, graceMs: 500 };
  const member = (nodeId: string, of: Partial<PlannedMember> = {}): PlannedMember => ({
    nodeId,
    incarnation: nodeId,
    state: 'ready',
    settled: (of.state ?? 'ready') === 'ready',
    lacks: null,
    forMs: Infinity,
    lapses: 0,
    failing: [],
    ...of,
  });
  const fresh = { settled: false, forMs: 10 };
  const unready = { state: 'unready', lacks: 'truth' } as const;
  const mute = { state: 'unready', lacks: 'distribution' } as const;
  const draining = { state: 'draining' } as const;
  /** Who owns the 64 shards that `owner` claims, or nobody. */
  const owners = (owner: string | null, ...members: PlannedMember[]): string => {
    const claim = owner === null ? null : { node: owner, incarnation: owner };
    const wanted = shards.slice(0, 64).map((shard) => planShard(shard, claim, members, times));
    return [...new Set(wanted)].sort().join(' ');
  };

  it('gives what nobody owns to settled members, else to ready ones, else to those that stay', () => {
    expect(owners(null, member('a'), member('b', fresh))).toBe('a');
    expect(owners(null, member('a'), member('b', { forMs: 10 }))).toBe('a b');
    expect(owners(null, member('a', fresh), member('b', fresh), member('c', unready))).toBe('a b');
    expect(owners(null, member('a', unready), member('b', draining))).toBe('a');
    expect(owners(null, member('a', draining))).toBe('');
    expect(owners(null)).toBe('');
  });

  it('moves nothing from a ready owner but to one that says it has settled', () => {
    expect(owners('a', member('a'), member('b', { ...fresh, forMs: Infinity }))).toBe('a');
    expect(owners('a', member('a'), member('b', { forMs: 10 }))).toBe('a b');
    expect(owners('a', member('a', fresh), member('b', fresh))).toBe('a');
    expect(owners('a', member('a', fresh), member('b'))).toBe('a b');
    expect(owners('a', member('a'), member('b', unready), member('c', draining))).toBe('a');
  });

  it('moves what an unready owner has after a grace, and only to who has been ready for a while', () => {
    expect(owners('a', member('a', { ...unready, forMs: 499 }), member('b'))).toBe('a');
    expect(owners('a', member('a', unready), member('b'))).toBe('b');
    expect(owners('a', member('a', unready), member('b', fresh))).toBe('a');
    expect(owners('a', member('a', unready), member('b', unready))).toBe('a');
    expect(owners('a', member('a', unready), member('b', draining))).toBe('a');
    // It settles for longer after lapses; an owner without PostgreSQL does not wait for that.
    const lapsed = { settled: false, lapses: 5 };
    expect(owners('a', member('a', unready), member('b', { ...lapsed, forMs: 2199 }))).toBe('a');
    expect(owners('a', member('a', unready), member('b', { ...lapsed, forMs: 2200 }))).toBe('b');
    expect(owners('a', member('a', unready), member('b', lapsed), member('c'))).toBe('c');
    expect(owners('a', member('a', unready), member('b', lapsed), member('c', mute))).toBe('b');
  });

  it('moves what an owner without NATS has to members that have it, and to no others', () => {
    expect(owners('a', member('a', { ...mute, forMs: 499 }), member('b'))).toBe('a');
    expect(owners('a', member('a', mute), member('b'))).toBe('b');
    expect(owners('a', member('a', mute), member('b', mute), member('c', unready))).toBe('a');
    expect(owners('a', member('a', mute), member('b', { settled: false }))).toBe('a');
  });

  it('moves what an owner without PostgreSQL has to one that has long lacked only NATS', () => {
    expect(owners('a', member('a', unready), member('b', mute))).toBe('b');
    expect(owners('a', member('a', unready), member('b', { ...mute, forMs: 1099 }))).toBe('a');
    expect(owners('a', member('a', unready), member('b', mute), member('c'))).toBe('c');
    expect(owners(null, member('a', unready), member('b', { ...mute, ...fresh }))).toBe('b');
    expect(planChangesIn([member('a', { ...mute, forMs: 100 })], times)).toBe(400);
    expect(planChangesIn([member('a', { ...mute, forMs: 1000 })], times)).toBeCloseTo(100);
  });

  it('moves what a draining owner has to settled members, else to ready ones, else nowhere', () => {
    expect(owners('a', member('a', draining), member('b'), member('c', fresh))).toBe('b');
    expect(owners('a', member('a', draining), member('b', fresh))).toBe('b');
    expect(owners('a', member('a', draining), member('b', unready))).toBe('a');
  });

  it('leaves what a member cannot serve to the others, unless they all cannot', () => {
    const failing = { failing: shards };
    expect(owners(null, member('a', failing), member('b'))).toBe('b');
    expect(owners(null, member('a', failing), member('b', fresh))).toBe('b');
    expect(owners(null, member('a', failing), member('b', unready))).toBe('a');
    expect(owners(null, member('a', failing), member('b', failing))).toBe('a b');
    expect(owners(null, member('a', failing), member('b', { ...failing, ...fresh }))).toBe('a');
    expect(owners('a', member('a'), member('b', failing))).toBe('a');
    expect(owners('a', member('a', failing), member('b', failing))).toBe('a');
    expect(owners('a', member('a', failing), member('b'))).toBe('a b');
    expect(owners('a', member('a', unready), member('b', failing), member('c'))).toBe('c');
    expect(owners('a', member('a', unready), member('b', failing))).toBe('a');
    expect(owners('a', member('a', draining), member('b', failing), member('c', fresh))).toBe('c');
    expect(owners('a', member('a', draining), member('b', failing))).toBe('a');
  });

  it('has no respect for a claim whose owner is gone, or comes back as another incarnation', () => {
    const back = member('a', { incarnation: 'second', ...fresh });
    expect(owners('a', back, member('b'))).toBe('b');
    expect(owners('gone', member('b'))).toBe('b');
  });

  it('waits twice as long after each lapse, up to a bound', () => {
    const waits = [0, 1, 2, 5, 50].map((lapses) => settleMs({ lapses }, times));
    expect(waits).toEqual([1000, 2000, 4000, 32_000, 32_000]);
  });

  it('tells when it may change of itself', () => {
    expect(planChangesIn([], times)).toBeNull();
    expect(planChangesIn([member('a'), member('b', unready), member('c', draining)], times)).toBe(
      null,
    );
    const almost = { ...unready, forMs: 500 - 1e-12 };
    expect(planChangesIn([member('a', almost)], times)).toBe(1);
    expect(planChangesIn([member('a', { ...unready, forMs: 100 }), member('b')], times)).toBe(400);
    expect(planChangesIn([member('a', { settled: false, forMs: 2000 })], times)).toBeCloseTo(200);
    expect(planChangesIn([member('a', { settled: false })], times)).toBeNull();
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
