/** When history is compacted away by itself; as etcd's modes. */
export type Compaction =
  | { readonly mode: 'off' }
  /** So many revisions are kept at least, and twice as many at most. */
  | { readonly mode: 'revision'; readonly keepRevisions: number }
  /** What is older is forgotten, a tenth of that late at most. */
  | { readonly mode: 'periodic'; readonly keepMs: number };

export interface QuorumSettings {
  /** A call that is not answered for so long is given up. */
  readonly callTimeoutMs: number;
  /** Writes that wait, of users, and as many of our own; more are refused. */
  readonly maxCalls: number;
  readonly maxUserWatches: number;
  readonly maxOwnWatches: number;
  readonly compaction: Compaction;
  /** Members that do not vote, yet or at all; more are refused. */
  readonly maxLearners: number;
  /** How often the leader, and each node for itself, looks whether the members are as wanted. */
  readonly membershipMs: number;
}

export const DEFAULT_QUORUM_SETTINGS: QuorumSettings = {
  /* As etcd's: long enough for an election and a snapshot, short enough for who waits. */
  callTimeoutMs: 5000,
  maxCalls: 8192,
  maxUserWatches: 100_000,
  maxOwnWatches: 10_000,
  compaction: { mode: 'revision', keepRevisions: 10_000 },
  maxLearners: 4,
  membershipMs: 500,
};
