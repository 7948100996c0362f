import { done, refused } from '@pawl/contracts';
import type { Address, ConsumerPage, ConsumerState, Outcome, RolloutView } from '@pawl/contracts';
import type { ConfigEngine, PageQuery } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import { noOwner, truthUnavailable } from '../sharding/refusals.js';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import { consumerPage, rolloutView } from './rollout-view.js';
import type { StatusNode } from './rollout-view.js';
import type { SavedStatusReader } from './saved-status.port.js';
import { ShardConsumers } from './shard-consumers.js';

/** Consumers that were read are told to all who ask within this time: owners save once a second. */
const KEPT_MS = 500;
/** Roots whose consumers are held at the same time; each may have a large fleet. */
const MAX_ROOTS = 8;

/** The consumers of one root as they were saved. */
interface SavedConsumers {
  readonly consumers: ShardConsumers;
  /** When the last of them was heard; -Infinity without any. */
  readonly heardMs: number;
}

/** One address as it was saved. */
interface Saved {
  readonly node: StatusNode;
  readonly consumers: ShardConsumers;
  readonly asOf: string;
}

/**
 * Rollout and consumers of an address as its owner had saved them, for the time without one: what the
 * next owner begins with. Marked with the time of the latest report in it; never converged, as what was
 * committed since is not known.
 */
export class SavedViews implements Pick<ConfigEngine, 'getRollout' | 'listConsumers'> {
  readonly #roots = new Map<string, Promise<SavedConsumers>>();

  constructor(private readonly context: EngineContext) {}

  async getRollout(address: Address): Promise<Outcome<RolloutView>> {
    const saved = await this.#read(address);
    if (!saved.ok) return saved;
    const { node, consumers, asOf } = saved.value;
    return done({ ...rolloutView(node, consumers), converged: false, asOf });
  }

  async listConsumers(
    address: Address,
    query: PageQuery & { readonly state?: ConsumerState },
  ): Promise<Outcome<ConsumerPage>> {
    const saved = await this.#read(address);
    if (!saved.ok) return saved;
    const { node, consumers, asOf } = saved.value;
    return done({ ...consumerPage(this.context, { node, consumers }, query), asOf });
  }

  async #read(address: Address): Promise<Outcome<Saved>> {
    const { savedStatus } = this.context;
    if (savedStatus === undefined) return noOwner();
    try {
      const found = await savedStatus.head(address);
      if (found === undefined) {
        return refused('not-found', `${address.text} is not known, as far as was saved`);
      }
      const read = this.#consumers(savedStatus, address.root);
      if (read === undefined) return tooMany();
      const { consumers, heardMs } = await read;
      const { head, published } = found;
      const node = { address, published, head: head ?? { generation: 0, version: 0 } };
      return done({ node, consumers, asOf: this.#asOf(heardMs, published?.at) });
    } catch (error) {
      if (error instanceof TruthUnavailableError) return truthUnavailable();
      throw error;
    }
  }

  #asOf(heardMs: number, publishedAt: string | undefined): string {
    const { clock, formatTime, parseTime } = this.context;
    const publishedMs = publishedAt === undefined ? -Infinity : parseTime(publishedAt);
    const latestMs = Math.max(heardMs, publishedMs);
    return formatTime(latestMs === -Infinity ? clock.wallMs() : latestMs);
  }

  /** `undefined`: too many roots are being read. */
  #consumers(reader: SavedStatusReader, root: string): Promise<SavedConsumers> | undefined {
    const known = this.#roots.get(root);
    if (known !== undefined || this.#roots.size >= MAX_ROOTS) return known;
    const read = this.#load(reader, root).finally(() => {
      this.context.timer.after(KEPT_MS, () => this.#roots.delete(root));
    });
    this.#roots.set(root, read);
    return read;
  }

  async #load(reader: SavedStatusReader, root: string): Promise<SavedConsumers> {
    const records = await reader.consumers(root);
    const consumers = new ShardConsumers(this.context, () => null);
    await consumers.restore(records);
    const { parseTime } = this.context;
    const heardMs = records.reduce(
      (latest, { lastSeenAt }) => Math.max(latest, parseTime(lastSeenAt)),
      -Infinity,
    );
    return { consumers, heardMs };
  }
}

function tooMany(): Outcome<never> {
  return refused('too-many-requests', 'the status of too many roots is being read; slow down');
}
