import type { Clock, Rng, Timer } from '@pawl/kernel';
import type { Configuration, ProposeRefusal, Role } from '../core/index.js';
import type { StartTransport } from './log-transport.port.js';
import type { RaftSettings } from './raft-settings.js';
import type { NewPlace } from './raft-storage.js';
import type { StorageFolder } from './storage-folder.port.js';

/** Where and who a node is. */
export interface LogStatus {
  readonly nodeId: string;
  readonly role: Role;
  /** Null while nobody is known to lead, and when this node takes no proposals any more. */
  readonly leader: string | null;
  readonly term: number;
  readonly commitIndex: number;
  /** Given to the state machine, up to here. */
  readonly appliedIndex: number;
  readonly lastIndex: number;
  /** Of the newest snapshot that is durable here; 0 before the first. */
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
   * `return()` when it is given up. A piece is not used any more once the next is asked for.
   */
  snapshot(): IterableIterator<Uint8Array, unknown>;
  /**
   * Replaces the state by what `snapshot` gave: at the start, and when a leader sent its own. In steps
   * of bounded work; whatever else reads the state finds the one before until the last is done.
   */
  restore(state: Uint8Array): Iterable<unknown>;
}

/**
 * What a node tells, never before `RaftNode.open` has resolved, never while one of its methods runs,
 * and nothing but what ends pending calls once `stop` was called.
 */
export interface LogEvents {
  /** After every step in which role, leader, term, configuration or applied index changed. */
  onStatus(status: LogStatus): void;
  /**
   * Another member asks, or for null anybody of the cluster; the answer goes back, a rejection as a
   * failure.
   */
  onRequest(from: string | null, body: Uint8Array): Promise<Uint8Array>;
  /** Once: the node stopped by itself, for good; nothing is acknowledged afterwards. */
  onFailure(error: Error): void;
  /** One line for people; may come often. */
  onProblem(text: string): void;
}

export interface RaftNodeOptions {
  readonly folder: StorageFolder;
  readonly nodeId: string;
  /** Another id that a folder which was used may have; its own counts then. */
  readonly otherId?: string;
  /** Null: the cluster that the folder belongs to, a new one if it is empty. */
  readonly clusterId: string | null;
  /**
   * Of an empty folder: the first voters of a new cluster, with this node, the same on all of them;
   * null: this node joins a cluster that exists and waits until its leader adds it.
   */
  readonly founders: readonly string[] | null;
  /** Of an empty folder, where `clusterId` is null: whose it becomes; left out: that of a new cluster. */
  readonly newPlace?: () => Promise<NewPlace>;
  /** A random identifier. */
  readonly newId: () => string;
  /**
   * Of a folder that was used: makes this node the only member, whoever else there was, and has the
   * command applied with that. For a cluster whose majority is lost for good: the others must never
   * come back. Nothing that this node holds is given up.
   */
  readonly forceAlone?: Uint8Array;
  readonly machine: LogMachine;
  readonly events: LogEvents;
  /** Left out: a node that votes alone. */
  readonly transport?: StartTransport;
  readonly timer: Timer;
  /** That the timer goes by. */
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Spreads elections and attempts to connect; seeded anew at each start. */
  readonly rng: Rng;
  readonly settings?: Partial<RaftSettings>;
}
