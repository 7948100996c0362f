import type { Rng } from '@pawl/kernel';
import type { Entry, SnapshotMark } from '@pawl/raft/core';
import type { LogMachine } from '../quorum/replicated-log.port.js';
import type { ProcessTime } from './process-time.js';

/** Of this many entries one is followed by something else before the next is applied. */
const TURN_AFTER = 16;
/** Between two steps, by chance up to this. */
const STEP_MS = 3;

/** A state of the machine, whole, up to its mark. */
export interface TakenSnapshot {
  readonly mark: SnapshotMark;
  readonly state: Uint8Array;
}

/**
 * A node's state machine, which is worked with in steps, as the real node does: between two of them
 * anything else may happen in the process. Entries are applied some at a time, a leader's snapshot
 * takes the place of the state step by step, and snapshots are taken while commands are applied.
 */
export class SimulatedMachine {
  readonly #machine: LogMachine;
  readonly #time: ProcessTime;
  readonly #rng: Rng;
  /** Called after each few entries. */
  readonly #onApplied: () => void;
  #waiting: readonly Entry[] = [];
  #paused = false;
  #whenIdle: (() => void) | null = null;
  #applied = 0;
  /** What is being taken. */
  #taking: IterableIterator<Uint8Array, unknown> | null = null;

  constructor(options: {
    readonly machine: LogMachine;
    readonly time: ProcessTime;
    readonly rng: Rng;
    readonly onApplied: () => void;
  }) {
    this.#machine = options.machine;
    this.#time = options.time;
    this.#rng = options.rng;
    this.#onApplied = options.onApplied;
  }

  /** The last entry that the machine was given. */
  get applied(): number {
    return this.#applied;
  }

  get takes(): boolean {
    return this.#taking !== null;
  }

  /** At the start, before anything else happens. */
  begin(index: number, state: Uint8Array | null): void {
    this.#applied = index;
    if (state === null) return;
    const steps = this.#machine.restore(state)[Symbol.iterator]();
    while (steps.next().done !== true);
  }

  /** Applies what it can at once, the rest soon. */
  apply(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#waiting = [...this.#waiting, ...entries];
    if (!this.#paused) this.#apply();
  }

  /** Calls back once nothing waits to be applied, which may be now. */
  idle(done: () => void): void {
    if (this.#waiting.length === 0) done();
    else this.#whenIdle = done;
  }

  /** Replaces the state by one as of `index`; a snapshot that is being taken is given up. */
  restore(index: number, state: Uint8Array, done: () => void): void {
    this.#taking?.return?.();
    this.#taking = null;
    const steps = this.#machine.restore(state)[Symbol.iterator]();
    const goOn = (): void => {
      if (steps.next().done !== true) return this.#soon(goOn);
      this.#applied = index;
      done();
    };
    this.#soon(goOn);
  }

  /** Begins to take a snapshot of all that is applied; `done` is called unless it is given up. */
  take(mark: SnapshotMark, done: (taken: TakenSnapshot) => void): void {
    const pieces: Uint8Array[] = [];
    const taking = this.#machine.snapshot();
    this.#taking = taking;
    const goOn = (): void => {
      if (this.#taking !== taking) return;
      const piece = taking.next();
      if (piece.done !== true) {
        pieces.push(Uint8Array.from(piece.value));
        return this.#soon(goOn);
      }
      this.#taking = null;
      done({ mark, state: Buffer.concat(pieces) });
    };
    this.#soon(goOn);
  }

  #soon(step: () => void): void {
    this.#time.after(this.#rng.next() * STEP_MS, step);
  }

  #apply(): void {
    const before = this.#waiting;
    let given = 0;
    while (given < before.length && !this.#paused) {
      const { kind, index, term, data } = before[given] as Entry;
      if (kind === 'command') this.#machine.apply(data, { index, term });
      this.#applied = index;
      given += 1;
      this.#paused = given < before.length && this.#rng.below(TURN_AFTER) === 0;
    }
    this.#waiting = this.#waiting.slice(given);
    if (this.#paused) {
      this.#soon(() => {
        this.#paused = false;
        this.#apply();
      });
    }
    this.#onApplied();
    if (this.#waiting.length > 0) return;
    const done = this.#whenIdle;
    this.#whenIdle = null;
    done?.();
  }
}
