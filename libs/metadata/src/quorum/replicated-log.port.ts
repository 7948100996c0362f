import type { ConfigurationChange } from '@pawl/raft/core';
import type { LogOutcome, LogStatus, PeerAddress } from '@pawl/raft/node';

export type { LogEvents, LogMachine, LogOutcome, LogRefusal, LogStatus } from '@pawl/raft/node';

/** Where another node listens. */
export type LogPeer = PeerAddress;

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
   * known is refused with another. `hearsay`: that it has this folder is not from this node's own
   * log; it may lead this node and ask for its vote, but what it answers does not count.
   */
  setPeers(peers: readonly LogPeer[]): void;
  /**
   * Asks another member; rejects when the connection is lost, `deadlineMs` from now, or when it
   * refuses: with an error whose `outcome` is `unsent` or `refused` when it surely did nothing, and
   * `unknown` otherwise.
   */
  request(to: string, body: Uint8Array, deadlineMs: number): Promise<Uint8Array>;
  /**
   * Asks whoever of the cluster listens there, as somebody whom it need not know; rejects likewise.
   */
  ask(at: LogPeer, body: Uint8Array, deadlineMs: number): Promise<Uint8Array>;
  /** Leader only: how far each other member holds the log, and whether it was heard of lately. */
  progress(): ReadonlyMap<string, { readonly match: number; readonly active: boolean }>;
  /**
   * Hands leadership over if it can, finishes what is under way, closes files and sockets. Rejects
   * when the disk hangs: then the folder must not be used before this process has ended.
   */
  stop(): Promise<void>;
}
