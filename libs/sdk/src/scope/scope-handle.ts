import { cohortHeld, STABLE_COHORT } from '@pawl/contracts';
import type { JsonObject, JsonValue } from '@pawl/contracts';
import type { Clock } from '@pawl/kernel';
import type { ApplyEffect } from '../applier/index.js';
import { HealthCounter } from '../health/health-counter.js';
import type { AppliedEvent, DeepReadonly, Scope, ScopeEvents, Unsubscribe } from '../types.js';
import { changedPaths, sameJson } from './diff-documents.js';
import { Emitter } from './emitter.js';
import { parsePath, valueAt } from './path.js';

/** Paths remembered per applied snapshot; more are looked up each time. */
const REMEMBERED_PATHS = 16_384;
const CHANGED_PATHS = 1_000;
const MISSING: unique symbol = Symbol('missing');

interface Watcher {
  readonly keys: readonly string[];
  readonly callback: (now: never, before: never) => void;
}

/**
 * What users hold. `current`, `version` and `cohort` are plain data properties, so that reading them costs a
 * property read; they are written only by {@link ScopeHandle.swap}.
 */
export class ScopeHandle<T> implements Scope<T> {
  current: DeepReadonly<T>;
  version: number;
  cohort: string;
  readonly address: string;
  readonly events: Emitter;
  readonly health: HealthCounter;
  #paths: Map<string, unknown>;
  #watchers: readonly Watcher[];

  constructor(address: string, clock: Pick<Clock, 'monotonicMs'>) {
    this.current = undefined as DeepReadonly<T>;
    this.version = 0;
    this.cohort = STABLE_COHORT;
    this.address = address;
    this.events = new Emitter();
    this.health = new HealthCounter(clock);
    this.#paths = new Map();
    this.#watchers = [];
  }

  get<V>(path: string, fallback?: V): V {
    const value = this.#paths.get(path) ?? this.#look(path);
    return (value === MISSING ? fallback : value) as V;
  }

  on<E extends keyof ScopeEvents>(
    event: E,
    listener: (event: ScopeEvents[E]) => void,
  ): Unsubscribe {
    return this.events.on(event, listener);
  }

  watch<V = unknown>(
    path: string,
    callback: (now: V | undefined, before: V | undefined) => void,
  ): Unsubscribe {
    const watcher: Watcher = { keys: parsePath(path), callback };
    this.#watchers = [...this.#watchers, watcher];
    return () => {
      this.#watchers = this.#watchers.filter((each) => each !== watcher);
    };
  }

  /** Makes a snapshot the current one, then tells listeners and watchers. Never throws. */
  swap({ head, document, previous, lowered }: Omit<ApplyEffect, 'kind'>): void {
    const before = this.current as unknown as JsonObject | undefined;
    this.current = document as unknown as DeepReadonly<T>;
    this.version = head.version;
    this.cohort = cohortHeld(head);
    this.health.applied(head);
    if (this.#paths.size > 0) this.#paths = new Map();
    if (this.events.has('applied')) {
      this.events.emit('applied', appliedEvent({ head, document, previous, lowered }, before));
    }
    for (const watcher of this.#watchers) this.#tell(watcher, before, document);
    if (document === undefined) this.events.emit('absent', { version: head.version });
  }

  #tell(watcher: Watcher, before: JsonObject | undefined, now: JsonObject | undefined): void {
    const was = valueAt(before, watcher.keys);
    const is = valueAt(now, watcher.keys);
    if (sameJson(was, is)) return;
    this.events.guard('watch callback', () => watcher.callback(is as never, was as never));
  }

  /** `null` is a value that `??` would pass over, so it is found here each time it is asked for. */
  #look(path: string): JsonValue | typeof MISSING {
    const remembered = this.#paths.get(path);
    if (remembered !== undefined) return remembered as JsonValue;
    const found = valueAt(this.current as unknown as JsonObject | undefined, parsePath(path));
    const value = found === undefined ? MISSING : found;
    if (this.#paths.size < REMEMBERED_PATHS) this.#paths.set(path, value);
    return value;
  }
}

/** What changed is compared when somebody asks. */
function appliedEvent(
  { head, document, previous, lowered }: Omit<ApplyEffect, 'kind'>,
  before: JsonObject | undefined,
): AppliedEvent {
  let paths: readonly string[] | undefined;
  return {
    version: head.version,
    previous,
    get changedPaths() {
      return (paths ??= changedPaths(before, document, CHANGED_PATHS));
    },
    lowered,
  };
}
