import { shardOf } from '@pawl/contracts';
import type { AddressText } from '@pawl/contracts';
import type { Fence, FencingToken } from '../sharding/fence.js';
import type { ConsumerRecord, StatusStore } from '../status/status-store.port.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';

/** A store without any data; `own` raises the fence of a root's shard and answers it. */
export interface StatusSubject {
  readonly status: StatusStore;
  readonly shards: number;
  own(fence: Fence): Promise<void>;
}

function record(consumerId: string, incarnation: string): ConsumerRecord {
  return {
    root: 'acme',
    workload: 'checkout',
    consumerId,
    incarnation,
    build: null,
    labels: { region: 'eu' },
    slot: 3,
    lastSeenAt: '2026-01-02T03:04:05.678Z',
    left: false,
    runs: [
      {
        address: 'acme/app' as AddressText,
        generation: 1,
        version: 4,
        highestVersion: 5,
        appliedAt: null,
        rejectedVersion: 6,
        reason: 'no "limits"',
        propagationMs: 12.5,
      },
    ],
  };
}

/** What every status store promises. */
export const statusStoreCases: readonly ConformanceCase<StatusSubject>[] = [
  {
    name: 'keeps one record per incarnation, replaces it whole, and sweeps what is old',
    run: async (subject) => {
      const { status, shards } = subject;
      const fence: Fence = { shard: shardOf('acme', shards), token: 7n as FencingToken };
      await subject.own(fence);
      const [a, b] = [record('pod-1', 'i1'), record('pod-1', 'i2')];
      await status.save(fence, [a, b]);
      const replaced = {
        ...a,
        build: '1.2',
        runs: [],
        left: true,
        lastSeenAt: '2026-02-02T03:04:05.678Z',
      };
      await status.save(fence, [replaced]);
      const stored = [...(await status.load(fence))];
      stored.sort((x, y) => (x.incarnation < y.incarnation ? -1 : 1));
      expectSame(stored, [replaced, b], 'records');
      expectSame(await status.sweep(fence, '2026-02-01T00:00:00.000Z'), 1, 'swept');
      expectSame(await status.load(fence), [replaced], 'left');
    },
  },
];
