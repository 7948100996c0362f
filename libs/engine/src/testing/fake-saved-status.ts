import { shardOf } from '@pawl/contracts';
import type { Address } from '@pawl/contracts';
import type { FencingToken } from '../sharding/fence.js';
import type { TruthStore } from '../sharding/truth-store.port.js';
import type { SavedHead, SavedStatusReader } from '../status/saved-status.port.js';
import type { ConsumerRecord, StatusStore } from '../status/status-store.port.js';

/** Reads the stores in memory under whatever fence they hold. */
export class FakeSavedStatus implements SavedStatusReader {
  constructor(
    private readonly stores: {
      readonly truth: Pick<TruthStore, 'readFences' | 'loadRoot'>;
      readonly status: Pick<StatusStore, 'load'>;
      readonly shards: number;
    },
  ) {}

  async head({ root, text }: Address): Promise<SavedHead | undefined> {
    const images = await this.stores.truth.loadRoot(await this.#fence(root), root);
    const image = images.find(({ address }) => address === text);
    if (image === undefined) return undefined;
    const { snapshot, publishedVersion, publishedAt: at } = image;
    if (snapshot === null) return { head: null, published: null };
    const { generation, version, hash, releases } = snapshot;
    const isPublished = publishedVersion === version && at !== null;
    return {
      head: { generation, version },
      published: isPublished ? { generation, version, hash, at, releases } : null,
    };
  }

  async consumers(root: string): Promise<readonly ConsumerRecord[]> {
    const records = await this.stores.status.load(await this.#fence(root));
    return records.filter((record) => record.root === root);
  }

  async #fence(root: string): Promise<{ shard: number; token: FencingToken }> {
    const shard = shardOf(root, this.stores.shards);
    const { tokens } = await this.stores.truth.readFences([shard]);
    return { shard, token: (tokens.get(shard) ?? 0n) as FencingToken };
  }
}
