import { shardOf } from '@pawl/contracts';
import type { Fence } from '../sharding/fence.js';
import type {
  ConsumerRecord,
  PublishedRecord,
  RunRecord,
  StatusStore,
} from '../status/status-store.port.js';
import { copyOf } from './fake-truth-rows.js';

/** The status tables in memory; held to the real ones by the conformance suite. */
export class FakeStatusStore implements StatusStore {
  readonly #records = new Map<string, ConsumerRecord>();
  readonly #runs = new Map<string, RunRecord>();
  readonly #published = new Map<string, PublishedRecord>();
  readonly #since = new Map<string, string>();

  constructor(private readonly shards: number) {}

  /** A copy of everything as it is now; calling the answer puts it back, as a restore does. */
  backup(): () => void {
    const parts = [
      copyOf(this.#records),
      copyOf(this.#runs),
      copyOf(this.#published),
      copyOf(this.#since),
    ];
    return () => {
      for (const putBack of parts) putBack();
    };
  }

  /** Everything that was saved of what consumers ran, by time. */
  get runs(): readonly RunRecord[] {
    return [...this.#runs.values()].toSorted((a, b) => (a.at < b.at ? -1 : 1));
  }

  /** As a build leaves it that saves none. */
  forgetRuns(): void {
    this.#runs.clear();
  }

  get published(): readonly PublishedRecord[] {
    return [...this.#published.values()];
  }

  /** Before when what an address's consumers ran was swept. */
  sinceOf(address: string): string | undefined {
    return this.#since.get(address);
  }

  async load(fence: Fence): Promise<readonly ConsumerRecord[]> {
    return this.#ofShard(fence);
  }

  async save(_fence: Fence, records: readonly ConsumerRecord[]): Promise<void> {
    for (const record of records) this.#records.set(keyOf(record), record);
  }

  async sweep(fence: Fence, before: string): Promise<number> {
    const old = this.#ofShard(fence).filter((record) => record.lastSeenAt < before);
    for (const record of old) this.#records.delete(keyOf(record));
    return old.length;
  }

  async saveRuns(
    _fence: Fence,
    runs: readonly RunRecord[],
    published: readonly PublishedRecord[],
  ): Promise<void> {
    for (const run of runs) this.#runs.set(`${runKey(run)}\n${run.at}`, run);
    for (const one of published) this.#published.set(`${one.address}\n${one.at}`, one);
  }

  async sweepRuns(fence: Fence, before: string, most: number): Promise<number> {
    const lastSeen = new Map(this.#ofShard(fence).map((one) => [keyOf(one), one.lastSeenAt]));
    const isHere = (address: string): boolean =>
      shardOf(rootOf(address), this.shards) === fence.shard;
    let swept = 0;
    for (const [address, runs] of groups(this.runs, (run) => run.address)) {
      if (!isHere(address)) continue;
      const first = runs.length > most ? runs[runs.length - most]?.at : undefined;
      if (first !== undefined) this.#since.set(address, first);
      const since = this.#since.get(address) ?? before;
      if (since < before) this.#since.delete(address);
      const limit = since < before ? before : since;
      for (const run of runs.filter(({ at }) => at < limit)) {
        const isFollowed = runs.some(
          (next) => runKey(next) === runKey(run) && next.at > run.at && next.at <= limit,
        );
        const heardAt = lastSeen.get(keyOf({ ...run, root: rootOf(address) }));
        if (!isFollowed && heardAt !== undefined && heardAt >= limit) continue;
        this.#runs.delete(`${runKey(run)}\n${run.at}`);
        swept += 1;
      }
    }
    for (const [key, { address, at }] of this.#published) {
      const isFollowed = this.published.some(
        (next) => next.address === address && next.at > at && next.at <= before,
      );
      if (!isHere(address) || at >= before || !isFollowed) continue;
      this.#published.delete(key);
      swept += 1;
    }
    return swept;
  }

  #ofShard(fence: Fence): ConsumerRecord[] {
    return [...this.#records.values()].filter(
      (record) => shardOf(record.root, this.shards) === fence.shard,
    );
  }
}

function rootOf(address: string): string {
  return address.split(/[/:]/, 1)[0] ?? '';
}

function runKey({ address, workload, consumerId, incarnation }: RunRecord): string {
  return [address, workload, consumerId, incarnation].join('\n');
}

function groups<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) found.set(key(item), [...(found.get(key(item)) ?? []), item]);
  return found;
}

function keyOf(
  record: Pick<ConsumerRecord, 'root' | 'workload' | 'consumerId' | 'incarnation'>,
): string {
  return [record.root, record.workload, record.consumerId, record.incarnation].join('\n');
}
