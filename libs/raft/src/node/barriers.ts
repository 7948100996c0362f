import type { Rng, Timer, TimerHandle } from '@pawl/kernel';
import { BarrierDeadlineError } from './node-errors.js';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly deadline: TimerHandle;
}

/** All that waits for one read of the core. */
interface Round {
  readonly waiters: Set<Waiter>;
  /** Ticks since it was asked for. */
  age: number;
}

export interface BarriersOptions {
  readonly timer: Timer;
  readonly rng: Rng;
  /** Asks the core; false when nobody leads. */
  readonly read: (id: number) => boolean;
  /** Ticks without an answer after which a read counts as lost. */
  readonly lostAfterTicks: number;
  /** Callers that wait; more are refused. */
  readonly limit: number;
}

/**
 * Callers that wait until all that was committed before they came is applied here. Those that come
 * in one turn share a read of the core. Ids are never used twice: a read that was lost is asked for
 * anew under another, and an answer to the old one is nobody's.
 */
export class Barriers {
  readonly #options: BarriersOptions;
  #nextId: number;
  #size = 0;
  #unasked = new Set<Waiter>();
  readonly #asked = new Map<number, Round>();
  /** Confirmed, and waiting for the state machine; in no order. */
  #confirmed: { readonly index: number; readonly waiters: Set<Waiter> }[] = [];

  constructor(options: BarriersOptions) {
    this.#options = options;
    /* A start by chance: what is still under way for a former process under this id is not ours. */
    this.#nextId = options.rng.below(2 ** 21) * 2 ** 32;
  }

  /** Resolves, or rejects after `deadlineMs` from now. */
  wait(deadlineMs: number): Promise<void> {
    const { timer, limit } = this.#options;
    if (this.#size >= limit) return Promise.reject(new Error(`more than ${limit} reads wait`));
    return new Promise((resolve, reject) => {
      const deadline = timer.after(deadlineMs, () => {
        this.#forget(waiter);
        reject(new BarrierDeadlineError(`no quorum confirmed the read within ${deadlineMs} ms`));
      });
      const waiter: Waiter = { resolve, reject, deadline };
      this.#size += 1;
      this.#unasked.add(waiter);
    });
  }

  /** Asks for what waits, if there is anybody to ask. */
  ask(): void {
    if (this.#unasked.size === 0 || !this.#options.read(this.#nextId)) return;
    this.#asked.set(this.#nextId, { waiters: this.#unasked, age: 0 });
    this.#nextId += 1;
    this.#unasked = new Set();
  }

  /** One tick passed; what is lost is asked for anew. */
  tick(): void {
    for (const [id, round] of this.#asked) {
      round.age += 1;
      if (round.age >= this.#options.lostAfterTicks) this.#askAgain(id, round);
    }
  }

  /** The leader or the term is another: whoever was asked may never answer. */
  leaderChanged(): void {
    for (const [id, round] of this.#asked) this.#askAgain(id, round);
  }

  confirmed(id: number, index: number): void {
    const round = this.#asked.get(id);
    if (round === undefined) return;
    this.#asked.delete(id);
    this.#confirmed.push({ index, waiters: round.waiters });
  }

  /** The state machine holds everything up to `index`. */
  applied(index: number): void {
    if (this.#confirmed.length === 0) return;
    const done = this.#confirmed.filter((each) => each.index <= index);
    if (done.length === 0) return;
    this.#confirmed = this.#confirmed.filter((each) => each.index > index);
    for (const { waiters } of done) {
      for (const waiter of waiters) {
        this.#end(waiter);
        waiter.resolve();
      }
    }
  }

  rejectAll(error: Error): void {
    const rounds = [...this.#asked.values(), ...this.#confirmed, { waiters: this.#unasked }];
    this.#asked.clear();
    this.#confirmed = [];
    this.#unasked = new Set();
    for (const { waiters } of rounds) {
      for (const waiter of waiters) {
        this.#end(waiter);
        waiter.reject(error);
      }
    }
  }

  #askAgain(id: number, round: Round): void {
    this.#asked.delete(id);
    for (const waiter of round.waiters) this.#unasked.add(waiter);
  }

  #forget(waiter: Waiter): void {
    this.#end(waiter);
    this.#unasked.delete(waiter);
    for (const { waiters } of [...this.#asked.values(), ...this.#confirmed]) waiters.delete(waiter);
  }

  #end(waiter: Waiter): void {
    waiter.deadline.cancel();
    this.#size -= 1;
  }
}
