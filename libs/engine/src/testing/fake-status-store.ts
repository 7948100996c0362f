import { shardOf } from '@pawl/contracts';
import type { Fence } from '../sharding/fence.js';
import type { ConsumerRecord, StatusStore } from '../status/status-store.port.js';
import { copyOf } from './fake-truth-rows.js';

/** The status tables in memory; held to the real ones by the conformance suite. */
export class FakeStatusStore implements StatusStore {
  readonly #records = new Map<string, ConsumerRecord>();

  constructor(private readonly shards: number) {}

  /** A copy of everything as it is now; calling the answer puts it back, as a restore does. */
  backup(): () => void {
    return copyOf(this.#records);
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

  #ofShard(fence: Fence): ConsumerRecord[] {
    return [...this.#records.values()].filter(
      (record) => shardOf(record.root, this.shards) === fence.shard,
    );
  }
}

function keyOf(record: ConsumerRecord): string {
  return [record.root, record.workload, record.consumerId, record.incarnation].join('\n');
}
