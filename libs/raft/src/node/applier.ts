import type { Clock } from '@pawl/kernel';
import type { Entry } from '../core/index.js';
import type { LogMachine } from './raft-node-options.js';

/** Commands are applied for so long at most before the event loop gets its turn. */
const TURN_MS = 5;

/** Gives committed entries to the state machine, in order, some at a time. */
export class Applier {
  readonly #machine: LogMachine;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #onApplied: (index: number) => void;
  readonly #onFailure: (error: unknown) => void;
  #applied: number;
  #bytes = 0;
  #waiting: Entry[] = [];
  #next = 0;
  /** Goes on in a later turn. */
  #paused = false;
  #idle: (() => void)[] = [];
  #stopped = false;

  /** `onApplied` is called after each few entries; `onFailure` once, when the machine throws. */
  constructor(options: {
    readonly machine: LogMachine;
    readonly clock: Pick<Clock, 'monotonicMs'>;
    readonly applied: number;
    readonly onApplied: (index: number) => void;
    readonly onFailure: (error: unknown) => void;
  }) {
    this.#machine = options.machine;
    this.#clock = options.clock;
    this.#applied = options.applied;
    this.#onApplied = options.onApplied;
    this.#onFailure = options.onFailure;
  }

  /** The last entry that the state machine was given. */
  get applied(): number {
    return this.#applied;
  }

  /** Of entries, since they were counted anew. */
  get bytes(): number {
    return this.#bytes;
  }

  countAnew(): void {
    this.#bytes = 0;
  }

  /** Applies what it can at once, the rest soon. */
  push(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#waiting.push(...entries);
    if (!this.#paused) this.#apply();
  }

  /** The state was replaced by one as of `index`; nothing waits. */
  restored(index: number): void {
    this.#applied = index;
    this.#bytes = 0;
  }

  /** Something waits. */
  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  /** Resolves once nothing waits. */
  async idle(): Promise<void> {
    if (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Applies nothing any more. */
  stop(): void {
    this.#stopped = true;
    this.#finish();
  }

  #apply(): void {
    if (this.#stopped) return;
    const until = this.#clock.monotonicMs() + TURN_MS;
    try {
      while (this.#next < this.#waiting.length) {
        this.#applyOne(this.#waiting[this.#next] as Entry);
        this.#next += 1;
        if (this.#clock.monotonicMs() < until) continue;
        this.#paused = this.#next < this.#waiting.length;
        break;
      }
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    } catch (error) {
      this.stop();
      this.#onFailure(error);
      return;
    }
    if (this.#paused) setImmediate(() => this.#goOn());
    else this.#finish();
    this.#onApplied(this.#applied);
  }

  #goOn(): void {
    this.#paused = false;
    this.#apply();
  }

  #applyOne({ kind, index, term, data }: Entry): void {
    if (kind === 'command') this.#machine.apply(data, { index, term });
    this.#applied = index;
    this.#bytes += data.length;
  }

  #finish(): void {
    this.#waiting = [];
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
