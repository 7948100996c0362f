import { contains, type HistoryCall, type HistoryRevision } from '@pawl/metadata/testing/history';
import type { Cluster } from '../cluster/cluster.js';
import { ALL_KEYS, WatchStream, type WatchWish } from '../client/watch-stream.js';

const NAME = 'everything';

/** Sees everything that is written to a cluster, from its first revision on. */
export class Observer {
  private readonly stream: WatchStream;
  /** The newest compaction that may have been done, also in an earlier history; null: none. */
  compaction: HistoryCall | null = null;

  private readonly deletions = new Map<string, number>();

  constructor(cluster: Cluster) {
    const wishes = [{ name: NAME, range: ALL_KEYS, from: 2, prevKv: true }];
    this.stream = new WatchStream(
      () => cluster.endpoints,
      wishes,
      ({ kind, kv }) => {
        if (kind !== 'delete' || this.deletions.has(kv.key)) return;
        this.deletions.set(kv.key, performance.now());
      },
    );
  }

  /** When it was first told that the key is gone, on the monotonic clock. */
  deletedAtMs(key: string): number | undefined {
    return this.deletions.get(key);
  }

  /** The newest revision that it saw. */
  get last(): number {
    return this.stream.told(NAME);
  }

  /** The revision of the newest compaction that anybody asked for. */
  get compacted(): number {
    const request = this.compaction?.request;
    return request?.kind === 'compact' ? request.revision : 0;
  }

  noteCompaction(calls: readonly HistoryCall[]): void {
    this.compaction = calls.findLast(({ request }) => request.kind === 'compact') ?? null;
  }

  get records() {
    return this.stream.records;
  }

  written(): HistoryRevision[] {
    return this.stream.revisionsOf(NAME);
  }

  /** Waits until it has seen a revision; false at the deadline. */
  reached(revision: number, deadlineMs: number): Promise<boolean> {
    return this.stream.reached(() => revision, deadlineMs);
  }

  stop(): Promise<void> {
    return this.stream.stop();
  }
}

/** The last revision of which a watch is told; 0: none. */
export function lastFor(
  { range, from = 0, without = [] }: WatchWish,
  written: readonly HistoryRevision[],
): number {
  const matching = written.findLast(
    ({ revision, events }) =>
      revision >= from &&
      events.some(({ kind, kv }) => contains(range, kv.key) && !without.includes(kind)),
  );
  return matching?.revision ?? 0;
}
