import type { Address, Snapshot } from '@pawl/contracts';

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

/**
 * The distribution, JetStream in production: keeps the newest snapshot per address and each content
 * once per root and hash. A content is readable before the snapshot that names it, the snapshot
 * before its push: the caller keeps that order by awaiting each step.
 */
export interface SnapshotPublisher {
  /** Creates or checks the streams. */
  prepare(): Promise<void>;
  healthy(): boolean;
  /** Stores an effective document's canonical text; already there is success. */
  storeContent(root: string, hash: string, text: string): Promise<void>;
  /** Stores a snapshot over what the subject holds, by expected last sequence. */
  publish(address: Address, snapshot: Snapshot): Promise<PublishOutcome>;
  /** Tells subscribers; fire and forget, core NATS. */
  push(address: Address, snapshot: Snapshot): void;
  /** The newest stored snapshot of an address; never an older one, also right after a publish. */
  read(address: Address): Promise<Snapshot | undefined>;
  /** Takes away what is stored for an address that is forgotten; nothing there is success. */
  remove(address: Address): Promise<void>;
  /**
   * Deletes contents of a root that neither `referenced` nor a stored snapshot names and that are older
   * than `olderThanMs`; answers how many.
   */
  collectContents(
    root: string,
    referenced: ReadonlySet<string>,
    olderThanMs: number,
  ): Promise<number>;
  /** Calls back after each reconnect and after a stream was found missing and was made anew. */
  onRestored(listener: () => void): void;
}
