import type { Address, Prepare, Snapshot } from '@pawl/contracts';

export type PublishOutcome =
  /** Stored now. */
  | { readonly kind: 'stored' }
  /** The same (generation, version, hash) was there already. */
  | { readonly kind: 'same' }
  /** Something at least as new, and different, is there: nothing was stored. */
  | { readonly kind: 'conflict'; readonly held: Snapshot };

/** NATS did not answer or refused; to be tried again. */
export class DistributionUnavailableError extends Error {
  override readonly name = 'DistributionUnavailableError';
}

/** What is collected of a root's contents. */
export interface ContentCollection {
  /** Hashes that stay. */
  readonly referenced: ReadonlySet<string>;
  readonly olderThanMs: number;
  /** Whether whoever counted what is referenced still owns the shard. */
  readonly isOwner: () => Promise<boolean>;
}

/**
 * The distribution, JetStream in production: keeps the newest snapshot per address and each content
 * once per root and hash. A content is readable before the snapshot that names it, the snapshot
 * before its push: the caller keeps that order by awaiting each step.
 */
export interface SnapshotPublisher {
  /** Creates or checks the streams. */
  prepare(): Promise<void>;
  healthy(): boolean;
  /**
   * Stores an effective document's canonical text, which a snapshot is going to name; already there is
   * success. No collection that has begun takes it away.
   */
  storeContent(root: string, hash: string, text: string): Promise<void>;
  /** The same for one that a stored snapshot names: where it is there it stays as it is. */
  keepContent(root: string, hash: string, text: string): Promise<void>;
  /** Stores a snapshot over what the subject holds, by expected last sequence. */
  publish(address: Address, snapshot: Snapshot): Promise<PublishOutcome>;
  /** Tells subscribers; fire and forget, core NATS. */
  push(address: Address, snapshot: Snapshot): void;
  /** Asks subscribers what they would make of a document; fire and forget, core NATS. */
  askToPrepare(address: Address, message: Prepare): void;
  /** The newest stored snapshot of an address; never an older one, also right after a publish. */
  read(address: Address): Promise<Snapshot | undefined>;
  /**
   * Takes away what is stored for an address that is forgotten; nothing there is success, and so is a
   * snapshot under a higher token than the owner's: the next owner has published it, and it stays.
   */
  remove(address: Address, token: bigint): Promise<void>;
  /**
   * Deletes contents of a root that neither `referenced` nor a stored snapshot names and that are older
   * than `olderThanMs`; answers how many. Stops as soon as `isOwner`, which is asked after everything was
   * looked through and every second of deleting, says no.
   */
  collectContents(root: string, collection: ContentCollection): Promise<number>;
  /** Calls back after each reconnect and after a stream was found missing and was made anew. */
  onRestored(listener: () => void): void;
}
