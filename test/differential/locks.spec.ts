import { seededRng } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { Contenders } from './contenders.js';
import { differentialSeeds } from './seeds.js';
import { openServers } from './servers.js';

const STEPS = 120;
const TIMEOUT_MS = 120_000;

/** What happens at random: each of it is asked of both, and they are let settle before the next. */
async function step(both: Contenders, rng: Rng): Promise<void> {
  const name = pick(rng, ['a', 'b', 'b/c']);
  const lease = pick(rng, both.leases);
  switch (pick(rng, KINDS)) {
    case 'lock':
      return both.contend('Lock.Lock', name, lease);
    case 'campaign':
      return both.contend('Election.Campaign', name, lease, pick(rng, ['x', 'y', '']));
    case 'unlock':
      return both.unlock(name);
    case 'proclaim':
      return both.proclaim(name, pick(rng, ['right', 'right', 'old', 'no lease']));
    case 'resign':
      return both.resign(name, pick(rng, ['right', 'right', 'old']));
    case 'revoke':
      return both.revoke(lease);
    case 'cancel':
      return both.cancel(pick(rng, ['first', 'last']));
    case 'leader':
      return both.leader(name);
    case 'wrong':
      return both.ask(pick(rng, WRONG));
    case 'write':
      return both.ask({ method: 'KV.Put', request: { key: Buffer.from('other') } });
  }
}

const often = <T>(count: number, item: T): readonly T[] =>
  Array.from({ length: count }, () => item);
const KINDS = [
  ...often(6, 'lock' as const),
  ...often(6, 'campaign' as const),
  ...often(4, 'unlock' as const),
  ...often(3, 'proclaim' as const),
  ...often(4, 'resign' as const),
  ...often(2, 'revoke' as const),
  ...often(2, 'cancel' as const),
  ...(['leader', 'wrong', 'write'] as const),
];
const nothing = Buffer.alloc(0);
const some = Buffer.from('a');
const WRONG = [
  { method: 'Lock.Lock', request: { name: some, lease: '999999' } },
  { method: 'Lock.Lock', request: { name: some, lease: '-5' } },
  { method: 'Lock.Unlock', request: { key: nothing } },
  { method: 'Lock.Unlock', request: { key: Buffer.from('nobody/1') } },
  { method: 'Election.Campaign', request: { name: some, lease: '999999', value: some } },
  { method: 'Election.Campaign', request: { name: nothing, lease: '-1' } },
  { method: 'Election.Proclaim', request: { value: some } },
  { method: 'Election.Proclaim', request: { leader: { name: some, lease: '999999' } } },
  { method: 'Election.Resign', request: {} },
  { method: 'Election.Resign', request: { leader: { name: some } } },
  { method: 'Election.Leader', request: { name: Buffer.from('nobody') } },
];

function pick<T>(rng: Rng, from: readonly T[]): T {
  return from[rng.below(from.length)]!;
}

describe('locks and elections of the coordination API and of etcd', () => {
  it.each(differentialSeeds())(
    'go alike (seed %i)',
    async (seed) => {
      const servers = await openServers();
      const both = new Contenders(servers.ours, servers.theirs);
      try {
        await both.begin(['a', 'b', 'b/c']);
        const rng = seededRng(seed);
        for (let at = 0; at < STEPS; at += 1) await step(both, rng);
        for (const name of ['a', 'b', 'b/c']) await both.drain(name);
        console.log(`seed ${seed}:`, both.counts);
        expect(both.counts['won after waiting']).toBeGreaterThan(0);
      } finally {
        both.close();
        await servers.close();
      }
    },
    TIMEOUT_MS,
  );
});
