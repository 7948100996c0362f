import type { Configuration } from './configuration.js';
import type { LogIndex, NodeId, Term } from './ids.js';

export type { LogIndex, NodeId, Term } from './ids.js';

/**
 * `noop` opens a leader's term (Raft thesis §3.6.2), `configuration` changes who votes; neither is
 * given to the state machine.
 */
export type EntryKind = 'command' | 'noop' | 'configuration';

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

/**
 * The last entry that a snapshot covers and who votes as of it. Before the first snapshot: index and
 * term 0, and the configuration that the cluster was founded with.
 */
export interface SnapshotMark {
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
}

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  /** Of the sender; of the election it would hold for `pre-vote` and for a granted answer to it. */
  readonly term: Term;
}

export interface VoteRequest extends Envelope {
  readonly type: 'pre-vote' | 'vote';
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** The leader asked for this election, so that its own followers may vote. */
  readonly transfer: boolean;
}

export interface VoteResponse extends Envelope {
  readonly type: 'pre-vote-response' | 'vote-response';
  readonly granted: boolean;
}

export interface AppendRequest extends Envelope {
  readonly type: 'append';
  /** The entries follow this one, which the receiver must have. */
  readonly previousIndex: LogIndex;
  readonly previousTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: LogIndex;
}

export interface AppendResponse extends Envelope {
  readonly type: 'append-response';
  /** Held durably up to here; of a refusal: the `previousIndex` that is not held. */
  readonly index: LogIndex;
  /** Set on refusal: where the logs may still agree. */
  readonly refused?: { readonly index: LogIndex; readonly term: Term };
}

export interface Heartbeat extends Envelope {
  readonly type: 'heartbeat';
  readonly commit: LogIndex;
  /** Echoed by the answer; reads wait for a quorum of answers to a round begun after them. */
  readonly round: number;
}

export interface HeartbeatResponse extends Envelope {
  readonly type: 'heartbeat-response';
  readonly round: number;
}

/** The state machine's state travels beside it; the receiver steps this once it has all of that. */
export interface SnapshotMessage extends Envelope {
  readonly type: 'snapshot';
  readonly snapshot: SnapshotMark;
}

/** Asks the receiver to hold an election at once. */
export interface TimeoutNow extends Envelope {
  readonly type: 'timeout-now';
}

export interface ReadRequest extends Envelope {
  readonly type: 'read';
  /** Chosen by whoever reads; never used twice by one node. */
  readonly id: number;
}

export interface ReadResponse extends Envelope {
  readonly type: 'read-response';
  readonly id: number;
  readonly index: LogIndex;
}

/** What nodes say to each other. */
export type Message =
  | VoteRequest
  | VoteResponse
  | AppendRequest
  | AppendResponse
  | Heartbeat
  | HeartbeatResponse
  | SnapshotMessage
  | TimeoutNow
  | ReadRequest
  | ReadResponse;

/** A message that its sender has yet to sign. */
export type NewMessage = Message extends infer Each
  ? Each extends Message
    ? Omit<Each, 'from' | 'term'>
    : never
  : never;

/** A read is linearizable once everything up to `index` is applied here. */
export interface ReadState {
  readonly id: number;
  readonly index: LogIndex;
}

/**
 * What the shell has to do next: install `snapshot`, write `hardState` and `entries`, all durably when
 * `mustSync`; then send `messages`, which promise what was just written; then `advance()`. Neither
 * waits for the rest: apply `committedEntries`, which are durable already, and answer `reads`.
 */
export interface Ready {
  /** Replaces the log and the state machine's state. */
  readonly snapshot: SnapshotMark | null;
  /** Set when it differs from what was handed out last. */
  readonly hardState: HardState | null;
  /** The first replaces what the log held from its index on. */
  readonly entries: readonly Entry[];
  /** False when only the commit index moved: losing that in a crash is harmless. */
  readonly mustSync: boolean;
  readonly committedEntries: readonly Entry[];
  readonly reads: readonly ReadState[];
  readonly messages: readonly Message[];
}

export type ProposeRefusal =
  /** Another node leads, or none. */
  | 'not-leader'
  | 'too-much-uncommitted'
  /** Leadership is being handed over. */
  | 'transferring'
  /** A change of the configuration is under way, or the term has committed nothing yet. */
  | 'change-under-way'
  /** The change is none, or leaves no voter. */
  | 'invalid-change'
  /** A node would become a voter that is no learner yet, or one that lags. */
  | 'not-caught-up'
  /** The members that were heard of within an election time would not win both halves. */
  | 'unhealthy';

export type ProposeOutcome =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | { readonly ok: false; readonly reason: ProposeRefusal };
