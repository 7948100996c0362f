import { foundedBy } from './configuration.js';
import type { Entry, HardState, NodeId, SnapshotMark } from './types.js';

/** What a node starts from: what its storage holds durably. */
export interface DurableState {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMark;
  /** Follow the snapshot without a gap. */
  readonly entries: readonly Entry[];
}

/**
 * A node that was never started, in a cluster founded by these voters. Without any: it joins a cluster
 * that it knows nothing of; it never campaigns nor votes, and takes what a leader sends it.
 */
export function foundingState(voters: readonly NodeId[]): DurableState {
  return {
    hardState: { term: 0, vote: null, commit: 0 },
    snapshot: { index: 0, term: 0, configuration: foundedBy(voters) },
    entries: [],
  };
}
