import { address, shardOf } from '@pawl/contracts';
import type { AddressText } from '@pawl/contracts';
import type { Fence, FencingToken } from '../sharding/fence.js';
import type { SavedStatusReader } from '../status/saved-status.port.js';
import type { ConsumerRecord, RunRecord, StatusStore } from '../status/status-store.port.js';
import { expectSame } from './conformance.js';
import type { ConformanceCase } from './conformance.js';

/** A store without any data; `own` raises the fence of a root's shard and answers it. */
export interface StatusSubject {
  readonly status: StatusStore;
  readonly savedStatus: SavedStatusReader;
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

const APP = address('acme/app');
const AT = (minute: number): string => `2099-01-02T03:${String(minute).padStart(2, '0')}:00.000Z`;

function ran(incarnation: string, minute: number, more: Partial<RunRecord> = {}): RunRecord {
  return {
    address: APP.text,
    workload: 'checkout',
    consumerId: 'pod-1',
    incarnation,
    at: AT(minute),
    generation: 1,
    version: minute,
    cohort: '',
    hash: null,
    rejectedVersion: null,
    reason: null,
    left: false,
    ...more,
  };
}

async function runsAt(
  { savedStatus }: StatusSubject,
  minute: number,
  more: {
    readonly after?: readonly [string, string, string];
    readonly workload?: string;
    readonly consumerId?: string;
    readonly limit?: number;
  } = {},
): Promise<[string, number, string | null][]> {
  const { after = ['', '', ''], workload = null, consumerId = null, limit = 10 } = more;
  const at = AT(minute);
  const query = { address: APP.text, at, after, workload, consumerId, limit };
  const found = await savedStatus.runsAt(query);
  return found.map((run) => [run.incarnation, run.version, run.lastSeenAt]);
}

/** What every status store, and the reader beside it, promise. */
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
  {
    name: 'tells what consumers ran at a time, page by page, and what was published',
    run: async (subject) => {
      const { status, savedStatus, shards } = subject;
      const fence: Fence = { shard: shardOf('acme', shards), token: 7n as FencingToken };
      await subject.own(fence);
      const seen = record('pod-1', 'i1');
      await status.save(fence, [seen]);
      const full = ran('i1', 10, {
        ...{ cohort: 'c1', hash: 'ab'.repeat(32), rejectedVersion: 11, reason: 'no "limits"' },
      });
      const published = [1, 10].map((minute) => {
        return { address: APP.text, at: AT(minute), generation: 1, version: minute };
      });
      const runs = [ran('i1', 2), full, ran('i2', 5), ran('i2', 7, { left: true })];
      const other = ran('i3', 2, { workload: 'cart', consumerId: 'pod-2' });
      await status.saveRuns(fence, [...runs, other], published);
      await status.saveRuns(fence, [full], published);
      expectSame(await runsAt(subject, 1), [], 'before anybody');
      const [three, one, two] = [
        ['i3', 2, null],
        ['i1', 2, seen.lastSeenAt],
        ['i2', 5, null],
      ] as const;
      expectSame(await runsAt(subject, 4), [three, one], 'then');
      expectSame(await runsAt(subject, 6), [three, one, two], 'later');
      expectSame(await runsAt(subject, 6, { limit: 2 }), [three, one], 'first page');
      const after = ['checkout', 'pod-1', 'i1'] as const;
      expectSame(await runsAt(subject, 6, { after }), [two], 'second page');
      expectSame(await runsAt(subject, 6, { workload: 'cart' }), [three], 'of a workload');
      expectSame(await runsAt(subject, 6, { consumerId: 'pod-1' }), [one, two], 'of a consumer');
      const query = { address: APP.text, at: AT(10), workload: null, consumerId: null, limit: 1 };
      const [found] = await savedStatus.runsAt({ ...query, after: ['checkout', '', ''] });
      expectSame(found, { ...full, lastSeenAt: seen.lastSeenAt }, 'all of it');
      const past = await savedStatus.past(APP, AT(9));
      expectSame([past.published, past.reporting], [published[0], 1], 'published');
      expectSame((await savedStatus.past(APP, AT(0))).published, null, 'published before');
    },
  },
  {
    name: 'sweeps what tells of no time that is kept, and keeps what does',
    run: async (subject) => {
      const { status, savedStatus, shards } = subject;
      const fence: Fence = { shard: shardOf('acme', shards), token: 7n as FencingToken };
      await subject.own(fence);
      await status.save(fence, [{ ...record('pod-1', 'i1'), lastSeenAt: AT(40) }]);
      const published = [1, 3, 8].map((minute) => {
        return { address: APP.text, at: AT(minute), generation: 1, version: minute };
      });
      const runs = [2, 4, 6, 8, 10].map((minute) => ran('i1', minute));
      await status.saveRuns(fence, [...runs, ran('gone', 2)], published);
      expectSame(await status.sweepRuns(fence, AT(5), 100), 3, 'swept by age');
      expectSame(await status.sweepRuns(fence, AT(5), 100), 0, 'nothing twice');
      expectSame(await runsAt(subject, 5), [['i1', 4, AT(40)]], 'what ran at the limit');
      expectSame((await savedStatus.past(APP, AT(5))).published, published[1], 'published');
      expectSame(await status.sweepRuns(fence, AT(5), 2), 2, 'swept by number');
      expectSame((await savedStatus.past(APP, AT(9))).since, AT(8), 'since');
      expectSame(await runsAt(subject, 9), [['i1', 8, AT(40)]], 'what is kept');
    },
  },
];
