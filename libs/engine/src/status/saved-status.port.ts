import type { Address } from '@pawl/contracts';
import type { PublishedSnapshot } from '../sharding/root-tree.js';
import type { ConsumerRecord } from './status-store.port.js';

/** The snapshot of an address, as the truth holds it. */
export interface SavedHead {
  /** The newest that was committed; `null`: none yet. */
  readonly head: { readonly generation: number; readonly version: number } | null;
  /** The same where JetStream is known to hold it; `null`: an older one, or none. */
  readonly published: PublishedSnapshot | null;
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
}
