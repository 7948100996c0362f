import type { Clock, Scheduler, Timer } from '@pawl/kernel';
import type { Sha256 } from '@pawl/contracts';
import type { SchemaValidator } from './config/schema-validator.port.js';
import type { WakeUps } from './release/wake-ups.port.js';
import type { SnapshotPublisher } from './publication/snapshot-publisher.port.js';
import type { GateProbes } from './release/gate-probes.port.js';
import type { ShardOwnership } from './sharding/shard-ownership.port.js';
import type { Installation, TruthStore } from './sharding/truth-store.port.js';
import type { SavedStatusReader } from './status/saved-status.port.js';
import type { StatusStore } from './status/status-store.port.js';

/** Where the engine tells what people should know. */
export interface EngineLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Where the engine counts and times; every call must be cheap and must not throw. */
export interface EngineObserver {
  /** A command ended: `outcome` is `ok`, `unchanged`, `replayed` or a problem code. */
  written(command: string, outcome: string, durationMs: number): void;
  /** A transaction is committed, with the changesets of this many commands. */
  committed(changesets: number): void;
  /** A snapshot is in JetStream. */
  published(address: string, version: number): void;
  /**
   * A consumer applied the published snapshot this long after its publication; `null` when it was not
   * live then, so that nothing was on its way to it.
   */
  applied(address: string, propagationMs: number | null): void;
  rejected(address: string): void;
  /** Something that must never happen, and was refused: someone has to look. */
  incident(kind: string): void;
}

/** Everything the use-cases reach the world through. */
export interface EngineContext {
  readonly installation: Installation;
  readonly truth: TruthStore;
  readonly status: StatusStore;
  /** Nothing that is saved is told where it is left out. */
  readonly savedStatus?: SavedStatusReader;
  readonly publisher: SnapshotPublisher;
  readonly validator: SchemaValidator;
  /** A release with a gate that somebody else answers is refused where it is left out. */
  readonly gateProbes?: GateProbes;
  readonly ownership: ShardOwnership;
  /** The owner looks by itself now and then as well; where it is left out, only then. */
  readonly wakeUps?: WakeUps;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly scheduler: Scheduler;
  readonly sha256: Sha256;
  readonly log: EngineLog;
  readonly observer: EngineObserver;
  /** RFC 3339 with milliseconds, of a wall time. */
  readonly formatTime: (wallMs: number) => string;
  readonly parseTime: (text: string) => number;
  readonly settings: EngineSettings;
}

export interface EngineSettings {
  /** Interval that heartbeats are asked for at small fleets, milliseconds. */
  readonly helloIntervalMs: number;
  /** How many callers may wait for one root before more are refused. */
  readonly maxWaiters: number;
  /** Opened addresses that one root may have. */
  readonly maxOpened: number;
  /** Incarnations that one shard keeps status of. */
  readonly maxIncarnations: number;
  /** After this long a live consumer without what is published is overdue, milliseconds. */
  readonly propagationBoundMs: number;
  /** Snapshots published at the same time. */
  readonly publishConcurrency: number;
  /** Of the node's lease: a fence checked longer ago is checked before memory is read, milliseconds. */
  readonly leaseTtlMs: number;
}

export const DEFAULT_ENGINE_SETTINGS: EngineSettings = {
  helloIntervalMs: 5_000,
  maxWaiters: 1_024,
  maxOpened: 10_000,
  maxIncarnations: 100_000,
  propagationBoundMs: 10_000,
  publishConcurrency: 32,
  leaseTtlMs: 5_000,
};

/** `<name>/<id>`, what snapshots and heartbeats carry. */
export function installationText(installation: Installation): string {
  return `${installation.name}/${installation.id}`;
}
