import { shardOf } from '@pawl/contracts';
import type { Address } from '@pawl/contracts';
import type { FencingToken } from '../sharding/fence.js';
import type { TruthStore } from '../sharding/truth-store.port.js';
import type {
  RunsQuery,
  SavedHead,
  SavedPast,
  SavedRun,
  SavedStatusReader,
} from '../status/saved-status.port.js';
import type { ConsumerRecord, RunRecord } from '../status/status-store.port.js';
import type { FakeStatusStore } from './fake-status-store.js';

/** Reads the stores in memory under whatever fence they hold. */
export class FakeSavedStatus implements SavedStatusReader {
  constructor(
    private readonly stores: {
      readonly truth: Pick<TruthStore, 'readFences' | 'loadRoot'>;
      readonly status: Pick<FakeStatusStore, 'load' | 'runs' | 'published' | 'sinceOf'>;
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

  async past({ root, text }: Address, at: string): Promise<SavedPast> {
    const before = this.stores.status.published.filter(
      (one) => one.address === text && one.at <= at,
    );
    const records = await this.stores.status.load(await this.#fence(root));
    return {
      since: this.stores.status.sinceOf(text) ?? EVER,
      published: before.toSorted((a, b) => (a.at < b.at ? 1 : -1))[0] ?? null,
      reporting: records.length,
    };
  }

  async runsAt(query: RunsQuery): Promise<readonly SavedRun[]> {
    const last = new Map<string, RunRecord>();
    for (const run of this.stores.status.runs) {
      const isOther =
        run.address !== query.address ||
        (query.workload ?? run.workload) !== run.workload ||
        (query.consumerId ?? run.consumerId) !== run.consumerId;
      if (isOther || run.at > query.at) continue;
      last.set(nameOf(run), run);
    }
    const records = await this.consumers(query.address.split(/[/:]/, 1)[0] ?? '');
    const heard = new Map(records.map((one) => [nameOf(one), one.lastSeenAt]));
    const after = query.after.join('\n');
    return [...last]
      .filter(([name]) => query.after[0] === '' || name > after)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, query.limit)
      .map(([name, run]) => ({ ...run, lastSeenAt: heard.get(name) ?? null }));
  }

  async #fence(root: string): Promise<{ shard: number; token: FencingToken }> {
    const shard = shardOf(root, this.stores.shards);
    const { tokens } = await this.stores.truth.readFences([shard]);
    return { shard, token: (tokens.get(shard) ?? 0n) as FencingToken };
  }
}

const EVER = '1970-01-01T00:00:00.000Z';

function nameOf(of: Pick<RunRecord, 'workload' | 'consumerId' | 'incarnation'>): string {
  return [of.workload, of.consumerId, of.incarnation].join('\n');
}
