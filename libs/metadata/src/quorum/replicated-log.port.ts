import type { Configuration, ConfigurationChange, ProposeRefusal, Role } from '@pawl/raft/core';

/** Where and who a node is, in the log's eyes. */
export interface LogStatus {
  readonly nodeId: string;
  readonly role: Role;
  /** Null while nobody is known to lead, and when this node takes no proposals any more. */
  readonly leader: string | null;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly configuration: Configuration;
}

export type LogRefusal = ProposeRefusal | 'overloaded' | 'too-large' | 'stopped';

/** Surely not in the log, now or later, when it is refused. */
export type LogOutcome =
  | { readonly ok: true; readonly index: number; readonly term: number }
  | { readonly ok: false; readonly reason: LogRefusal };

/** What the log is for. Deterministic: the same commands in the same order give the same state. */
export interface LogMachine {
  /** Applies a committed command; a throw stops the node for good. */
  apply(command: Uint8Array, at: { readonly index: number; readonly term: number }): void;
  /**
   * The state of this moment in pieces, which are taken later while commands are applied; ended by
   * `return()` when it is given up.
   */
  snapshot(): IterableIterator<Uint8Array, unknown>;
  /** Replaces the state by what `snapshot` gave: at the start, and when a leader sent its own. */
  restore(state: Uint8Array): void;
}

/** What a node of the quorum hears from its log; never called while one of its methods runs. */
export interface LogEvents {
  /** After every step in which role, leader, term, configuration or applied index changed. */
  onStatus(status: LogStatus): void;
  /** Another member asks; the answer goes back to it, a rejection as a failure. */
  onRequest(from: string, body: Uint8Array): Promise<Uint8Array>;
  /** Once: the node stopped by itself, for good. */
  onFailure(error: Error): void;
  /** One line for people; may come often. */
  onProblem(text: string): void;
}

/** The replicated log of one node; `RaftNode` is one. */
export interface ReplicatedLog {
  readonly identity: {
    readonly clusterId: string;
    readonly nodeId: string;
    readonly folderId: string;
  };
  status(): LogStatus;
  /** On the leader only. What was taken may yet be lost with the leadership: apply tells. */
  propose(command: Uint8Array): LogOutcome;
  change(change: ConfigurationChange): LogOutcome;
  /**
   * Resolves once all that was committed anywhere before this call is applied here (ReadIndex: a
   * quorum has confirmed the leader meanwhile). Rejects `deadlineMs` from now, or when the node stops.
   */
  barrier(deadlineMs: number): Promise<void>;
  /** Begins to hand leadership over; false when this node does not lead or the other cannot. */
  transfer(to: string): boolean;
  /**
   * Where the others are; members that are not named cannot be reached. One whose data folder is
   * known is refused with another.
   */
  setPeers(
    peers: readonly {
      readonly id: string;
      readonly host: string;
      readonly port: number;
      readonly folderId?: string;
    }[],
  ): void;
  /**
   * Asks another member; rejects when the connection is lost, `deadlineMs` from now, or when it
   * refuses: with an error whose `outcome` is `unsent` or `refused` when it surely did nothing, and
   * `unknown` otherwise.
   */
  request(to: string, body: Uint8Array, deadlineMs: number): Promise<Uint8Array>;
  /** Leader only: how far each other member holds the log, and whether it was heard of lately. */
  progress(): ReadonlyMap<string, { readonly match: number; readonly active: boolean }>;
  /**
   * Hands leadership over if it can, finishes what is under way, closes files and sockets. Rejects
   * when the disk hangs: then the folder must not be used before this process has ended.
   */
  stop(): Promise<void>;
}
