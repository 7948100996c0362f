import { messageOf, PawlError } from '../errors.js';
import type { ScopeEvents, Unsubscribe } from '../types.js';

type EventName = keyof ScopeEvents;
type Listener<E extends EventName> = (event: ScopeEvents[E]) => void;

/** Events kept for the first listener, each kind for itself. */
const KEPT = 16;
/** What must not be lost between `open` and the first `on`. */
const KEPT_EVENTS: ReadonlySet<EventName> = new Set<EventName>(['rejected', 'error']);

/** The listeners of one scope. No listener's failure reaches the caller of `emit` or another listener. */
export class Emitter {
  readonly #listeners = new Map<EventName, ReadonlySet<Listener<never>>>();
  readonly #kept = new Map<EventName, unknown[]>();

  has(event: EventName): boolean {
    return (this.#listeners.get(event)?.size ?? 0) > 0;
  }

  on<E extends EventName>(event: E, listener: Listener<E>): Unsubscribe {
    const entry: Listener<E> = (value) => listener(value);
    this.#listeners.set(event, new Set([...(this.#listeners.get(event) ?? []), entry]));
    const kept = (this.#kept.get(event) ?? []) as ScopeEvents[E][];
    this.#kept.delete(event);
    if (kept.length > 0) {
      queueMicrotask(() => kept.forEach((value) => this.#deliver(event, entry, value)));
    }
    return () => {
      const left = new Set(this.#listeners.get(event));
      left.delete(entry);
      this.#listeners.set(event, left);
    };
  }

  emit<E extends EventName>(event: E, value: ScopeEvents[E]): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return this.#keep(event, value);
    for (const listener of listeners) this.#deliver(event, listener as Listener<E>, value);
  }

  /** Runs a callback of the user's; what it throws, or rejects with, becomes an `error` event. */
  guard(what: string, callback: () => unknown): void {
    this.#run(callback, (thrown) => this.emit('error', callbackFailed(what, thrown)));
  }

  #deliver<E extends EventName>(event: E, listener: Listener<E>, value: ScopeEvents[E]): void {
    this.#run(
      () => listener(value),
      (thrown) => {
        if (event !== 'error') this.emit('error', callbackFailed(`"${event}" listener`, thrown));
      },
    );
  }

  #run(callback: () => unknown, onFailure: (thrown: unknown) => void): void {
    try {
      const result = callback();
      if (result instanceof Promise) result.catch(onFailure);
    } catch (thrown) {
      onFailure(thrown);
    }
  }

  #keep(event: EventName, value: unknown): void {
    if (!KEPT_EVENTS.has(event)) return;
    const kept = this.#kept.get(event) ?? [];
    this.#kept.set(event, [...kept.slice(1 - KEPT), value]);
  }
}

function callbackFailed(what: string, thrown: unknown): PawlError {
  const message = `the ${what} failed: ${messageOf(thrown)}`;
  return new PawlError('callback-failed', message, { cause: thrown });
}
