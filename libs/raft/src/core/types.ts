/** Name of a node; never empty. */
export type NodeId = string;

/**
 * Terms and log indexes are positive safe integers (0 means none). At a million entries a second
 * they last for 285 years; on disk they take 64 bits.
 */
export type Term = number;
export type LogIndex = number;

/** `noop` opens a leader's term (Raft thesis §3.6.2) and is never given to the state machine. */
export type EntryKind = 'command' | 'noop';

export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  /** Owned by the log: nobody changes it any more. */
  readonly data: Uint8Array;
}

/** What must survive a crash beside the entries (Raft thesis, figure 3.1; `commit` may lag). */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId | null;
  readonly commit: LogIndex;
}

/** The last entry that a snapshot covers; `{ index: 0, term: 0 }` for none. */
export interface SnapshotMark {
  readonly index: LogIndex;
  readonly term: Term;
}

export type Role = 'follower' | 'candidate' | 'leader';

/** What {@link RaftCore.step} takes. A response is dropped unless it is of the current term. */
export type Message =
  | { readonly type: 'campaign' }
  | {
      readonly type: 'vote-response';
      readonly from: NodeId;
      readonly term: Term;
      readonly granted: boolean;
    }
  | {
      /** `from` holds all entries up to `index` durably. */
      readonly type: 'append-response';
      readonly from: NodeId;
      readonly term: Term;
      readonly index: LogIndex;
    };

/**
 * What the shell has to do next: write `hardState` and `entries`, durably when `mustSync`; apply
 * `committedEntries`, which are durable already and need not wait for that write; then `advance()`.
 */
export interface Ready {
  /** Set when it differs from what was handed out last. */
  readonly hardState: HardState | null;
  readonly entries: readonly Entry[];
  /** False when only the commit index moved: losing that in a crash is harmless. */
  readonly mustSync: boolean;
  readonly committedEntries: readonly Entry[];
}

export type ProposeOutcome =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | { readonly ok: false; readonly reason: 'not-leader' | 'too-much-uncommitted' };
