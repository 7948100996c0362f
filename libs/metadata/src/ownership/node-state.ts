import type { Timer, TimerHandle } from '@pawl/kernel';
import type { MemberState } from './ownership-keys.js';
import { settleMs } from './plan-shards.js';
import type { PlanTimes } from './plan-shards.js';

export interface StateChange {
  readonly state: MemberState;
  readonly problem: string | null;
  readonly lapses: number;
}

export interface NodeStateOptions {
  readonly timer: Timer;
  readonly monotonicMs: () => number;
  readonly times: PlanTimes;
  /** A problem that lasts less changes nothing. */
  readonly patienceMs: number;
  readonly changed: () => void;
}

/** So many times its settling a node is ready before its former lapses are forgotten. */
const CALM_SETTLES = 20;

/**
 * What this node says of itself. PostgreSQL may be away for `patienceMs` before the node is unready;
 * it is ready again at the first answer. A node that drains stays so.
 */
export class NodeState {
  readonly #options: NodeStateOptions;
  #problem: string | null = null;
  #waiting: TimerHandle | null = null;
  #lapses = 0;
  #unready = false;
  #draining = false;
  #readySinceMs: number;

  constructor(options: NodeStateOptions) {
    this.#options = options;
    this.#readySinceMs = options.monotonicMs();
  }

  get current(): StateChange {
    const state = this.#draining ? 'draining' : this.#unready ? 'unready' : 'ready';
    const problem = this.#unready ? this.#problem : null;
    return { state, problem, lapses: this.#lapses };
  }

  /** What keeps PostgreSQL from answering, null: nothing. */
  setTruth(problem: string | null): void {
    const told = this.#problem;
    this.#problem = problem;
    if (problem === null) this.#recovered();
    else if (this.#unready) {
      if (problem !== told) this.#options.changed();
    } else {
      this.#waiting ??= this.#options.timer.after(this.#options.patienceMs, () => this.#lapsed());
    }
  }

  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#options.changed();
  }

  stop(): void {
    this.#waiting?.cancel();
  }

  #lapsed(): void {
    const { monotonicMs, times, changed } = this.#options;
    const readyMs = monotonicMs() - this.#readySinceMs;
    const calmMs = CALM_SETTLES * settleMs({ lapses: this.#lapses }, times);
    this.#lapses = readyMs > calmMs ? 1 : this.#lapses + 1;
    this.#unready = true;
    changed();
  }

  #recovered(): void {
    this.#waiting?.cancel();
    this.#waiting = null;
    if (!this.#unready) return;
    this.#unready = false;
    this.#readySinceMs = this.#options.monotonicMs();
    this.#options.changed();
  }
}
