import type { Address, AddressText } from '@pawl/contracts';
import type { PublishedSnapshot } from '../sharding/root-tree.js';
import type { ConsumerRecord, PublishedRecord, RunRecord } from './status-store.port.js';

/** The snapshot of an address, as the truth holds it. */
export interface SavedHead {
  /** The newest that was committed; `null`: none yet. */
  readonly head: { readonly generation: number; readonly version: number } | null;
  /** The same where JetStream is known to hold it; `null`: an older one, or none. */
  readonly published: PublishedSnapshot | null;
}

/** What is known of an address at a time. */
export interface SavedPast {
  /** Since when it is kept what consumers ran there, unless it was swept since. */
  readonly since: string;
  /** What was published then; `null`: nothing, as far as consumers were told of it. */
  readonly published: PublishedRecord | null;
  /** How many incarnations report to the owner of the address now. */
  readonly reporting: number;
}

export interface RunsQuery {
  readonly address: AddressText;
  readonly at: string;
  /** The last one before: `[workload, consumerId, incarnation]`. */
  readonly after: readonly [string, string, string];
  readonly workload: string | null;
  readonly consumerId: string | null;
  readonly limit: number;
}

/** What an incarnation had begun to run last. */
export interface SavedRun extends RunRecord {
  /** When it was heard last, until now; `null`: longer ago than is kept. */
  readonly lastSeenAt: string | null;
}

/**
 * Reads status past its owner, under no fence: for people, while the owner does not answer. Throws
 * `TruthUnavailableError`.
 */
export interface SavedStatusReader {
  /** `undefined`: the address is not known. */
  head(address: Address): Promise<SavedHead | undefined>;
  /** What the owner of a root had saved of all consumers there. */
  consumers(root: string): Promise<readonly ConsumerRecord[]>;
  /** What is known of a time, RFC 3339. */
  past(address: Address, at: string): Promise<SavedPast>;
  /** What consumers ran at a time, by workload, consumer id and incarnation; at most `limit`. */
  runsAt(query: RunsQuery): Promise<readonly SavedRun[]>;
}
