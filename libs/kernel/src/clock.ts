/** Where time comes from. Pure rooms are handed one; nothing reads the machine's clock directly. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump either way. For what people read. */
  wallMs(): number;
  /** Milliseconds from an arbitrary origin; never goes back. For durations and deadlines. */
  monotonicMs(): number;
}

/** Handle of a pending timer. */
export interface TimerHandle {
  cancel(): void;
}

/** Where timers come from. `after` calls back once; a cancelled timer never calls back. */
export interface Timer {
  after(delayMs: number, callback: () => void): TimerHandle;
}

/** Gives the event loop a turn, so that long pure work never blocks it for long. */
export interface Scheduler {
  yield(): Promise<void>;
}

/** A clock and timer moved by hand, for tests and simulation. Callbacks run in order of due time. */
export class ManualTime implements Clock, Timer {
  #nowMs: number;
  #sequence = 0;
  readonly #pending = new Map<number, { dueMs: number; callback: () => void }>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    const id = (this.#sequence += 1);
    this.#pending.set(id, { dueMs: this.#nowMs + Math.max(0, delayMs), callback });
    return { cancel: () => void this.#pending.delete(id) };
  }

  /** Moves time forward by `ms`, firing what becomes due at its own due time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#earliest(endMs); next !== undefined; next = this.#earliest(endMs)) {
      const [id, entry] = next;
      this.#pending.delete(id);
      this.#nowMs = entry.dueMs;
      entry.callback();
    }
    this.#nowMs = endMs;
  }

  #earliest(limitMs: number): [number, { dueMs: number; callback: () => void }] | undefined {
    let best: [number, { dueMs: number; callback: () => void }] | undefined;
    for (const entry of this.#pending) {
      if (entry[1].dueMs > limitMs) continue;
      if (best === undefined || entry[1].dueMs < best[1].dueMs) best = entry;
    }
    return best;
  }
}
