import type { PawlError } from './errors.js';

/** A document as the SDK hands it out: frozen at every depth. */
export type DeepReadonly<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/**
 * Called with each document before it is applied; throwing, or rejecting, refuses it: the consumer
 * stays on its last good one and the message travels to the operators. Must not have side effects.
 * What it returns is ignored.
 */
export type Validate<T> = (
  document: DeepReadonly<T>,
  about: { readonly version: number },
) => unknown;

export interface OpenOptions<T> {
  readonly validate?: Validate<T>;
  /** Time for the network to answer before the file on disk is used. Default: as `connect`. */
  readonly openTimeoutMs?: number;
  /** Time after which `open` gives up with `no-snapshot`. Default: as `connect`. */
  readonly startTimeoutMs?: number;
}

export interface AppliedEvent {
  readonly version: number;
  /** The version that ran before, the same one if only the cohort is another; `null` for the first. */
  readonly previous: number | null;
  /**
   * Paths, as `get` takes them, of what was added, removed or changed, in document order: the
   * deepest object keys, arrays as a whole. At most 1,000; for certainty about one path use `watch`.
   */
  readonly changedPaths: readonly string[];
  /** A layer went back to a lower definition version or away: a rollback, or a cohort that was left. */
  readonly lowered: boolean;
}

export interface RejectedEvent {
  readonly version: number;
  readonly reason: string;
}

export interface StaleEvent {
  /** `false`: it is fresh again. */
  readonly stale: boolean;
  /** Milliseconds since a push or the control plane was last heard. */
  readonly silentMs: number;
}

export interface AbsentEvent {
  readonly version: number;
}

export interface ScopeEvents {
  /** A snapshot was swapped in. */
  readonly applied: AppliedEvent;
  /** A snapshot was refused, by `validate` or because it breaks the acceptance rule. */
  readonly rejected: RejectedEvent;
  /** Nothing was heard for `staleAfterMs`, or was heard again. What runs stays in use. */
  readonly stale: StaleEvent;
  /** No layer has a document any more: `current` is `undefined` from here on. */
  readonly absent: AbsentEvent;
  /** Something went wrong that the SDK survived; see `code` and `recoverable`. */
  readonly error: PawlError;
}

export type Unsubscribe = () => void;

/** What a service did; the counts are whole numbers from 0. */
export interface HealthReport {
  /** Requests served, or whatever the service's unit of work is, failed ones among them. Default: 1. */
  readonly requests?: number | undefined;
  /** How many of them failed. Default: 0. */
  readonly errors?: number | undefined;
  /** How long each of them took, milliseconds. */
  readonly latencyMs?: number | undefined;
}

/**
 * How a service fares with what it runs: counted by snapshot version and cohort, and told in heartbeats,
 * so that the gates of a release can compare its candidates with the rest.
 */
export interface ScopeHealth {
  /**
   * Counts for the snapshot that runs now. Made to be called for each request: never throws, keeps
   * nothing. A report in which anything is not such a number is passed over as a whole.
   */
  report(what?: HealthReport): void;
  /**
   * Runs `work` and counts one request with its latency, a failed one when it throws or rejects, for the
   * snapshot that ran when it began. Answers, or rejects, as `work` does.
   */
  time<R>(work: () => R | PromiseLike<R>): Promise<R>;
}

/**
 * One address as this process reads it. Reading never waits for a network.
 *
 * A path names keys from the root, separated by dots: `limits.maxItems`, `servers.0.host`. A dot
 * inside a key is written `\.`, a backslash `\\`.
 */
export interface Scope<T = Readonly<Record<string, unknown>>> {
  /** `acme/prod/checkout` or `acme/prod/checkout:limits`. */
  readonly address: string;
  /** The effective document, deeply frozen, swapped as a whole; `undefined` while absent. */
  readonly current: DeepReadonly<T>;
  /** Version of the snapshot that `current` is of. Never decreases within a process. */
  readonly version: number;
  /**
   * Of which releases in stages `current` is the candidate's: their ids in order, joined by `+`; empty
   * for those in no cohort. Candidates and the rest run the same `version`: this tells them apart.
   */
  readonly cohort: string;
  /** Where the service reports how it fares with it. */
  readonly health: ScopeHealth;
  /** The value at a path, or `undefined`; only keys of the document itself are found. */
  get<V = unknown>(path: string): V | undefined;
  /** The value at a path, or the default when there is none. */
  get<V>(path: string, fallback: V): V;
  /**
   * Listens. `rejected` and `error` events from before the first listener (at most 16, the newest)
   * are delivered to it. What a listener throws becomes an `error` event.
   */
  on<E extends keyof ScopeEvents>(event: E, listener: (event: ScopeEvents[E]) => void): Unsubscribe;
  /** Calls back after an application that changed the value at a path. */
  watch<V = unknown>(
    path: string,
    callback: (now: V | undefined, before: V | undefined) => void,
  ): Unsubscribe;
}

/** A consumer: one connection, any number of addresses. */
export interface Pawl {
  /**
   * Starts to follow an address and resolves once something runs there: the newest snapshot, or the
   * file on disk when the network does not answer within `openTimeoutMs`. An address where nothing is
   * released yet runs too: `current` is `undefined` until `applied`. Opening an address again
   * gives the same scope. Rejects with `no-snapshot`, `bad-address`, `bad-options`, `already-open`
   * (with another `validate`), `too-many-scopes` or `closed`.
   */
  open<T = Readonly<Record<string, unknown>>>(
    address: string,
    options?: OpenOptions<T>,
  ): Promise<Scope<T>>;
  /** Sends what waits and disconnects. Resolves within 2 s whatever is down; never rejects. */
  close(): Promise<void>;
}
