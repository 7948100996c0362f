import type { Timer, TimerHandle } from '@pawl/kernel';
import type { Dependency, MemberState } from './ownership-keys.js';
import { settleMs } from './plan-shards.js';
import type { PlanTimes } from './plan-shards.js';

export interface StateChange {
  readonly state: MemberState;
  /** Ready for long enough to be given shards. */
  readonly settled: boolean;
  /** The worst that an unready node lacks; null: nothing. */
  readonly lacks: Dependency | null;
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

/** What one dependency says. */
interface Answers {
  problem: string | null;
  /** Since when there is one. */
  sinceMs: number;
  /** Ends the patience. */
  waiting: TimerHandle | null;
  /** Has been away for longer than that. */
  away: boolean;
}

/**
 * What this node says of itself. PostgreSQL or NATS may be away for `patienceMs` before the node is
 * unready; it is ready again when both have answered. A node that drains stays so. Ready for a while
 * as a member it has settled: it says so itself, so that all nodes, however short a time they have
 * known it, plan the same.
 */
export class NodeState {
  readonly #options: NodeStateOptions;
  /** The worse one first. */
  readonly #answers: { readonly [dependency in Dependency]: Answers } = {
    truth: { problem: null, sinceMs: 0, waiting: null, away: false },
    distribution: { problem: null, sinceMs: 0, waiting: null, away: false },
  };
  #lapses = 0;
  #draining = false;
  #readySinceMs: number;
  #isMember = false;
  #isSettled = false;
  #settling: TimerHandle | null = null;

  constructor(options: NodeStateOptions) {
    this.#options = options;
    this.#readySinceMs = options.monotonicMs();
  }

  get current(): StateChange {
    const away = this.#away;
    const state = this.#draining ? 'draining' : away.length > 0 ? 'unready' : 'ready';
    const problem = away.map((name) => this.#answers[name].problem).join('; ');
    const lacks = away[0] ?? null;
    return {
      state,
      settled: this.#isSettled && state === 'ready',
      lacks,
      problem: lacks === null ? null : problem,
      lapses: this.#lapses,
    };
  }

  /** Whether PostgreSQL answers, but for a problem that has lasted less than half the patience. */
  get hasTruth(): boolean {
    const { monotonicMs, patienceMs } = this.#options;
    const { problem, sinceMs } = this.#answers.truth;
    return problem === null || monotonicMs() - sinceMs < patienceMs / 2;
  }

  /** What keeps a dependency from answering, null: nothing. */
  set(dependency: Dependency, problem: string | null): void {
    const answers = this.#answers[dependency];
    const told = answers.problem;
    answers.problem = problem;
    if (told === null) answers.sinceMs = this.#options.monotonicMs();
    if (problem === null) this.#answered(answers);
    else if (answers.away) {
      if (problem !== told) this.#options.changed();
    } else {
      answers.waiting ??= this.#options.timer.after(this.#options.patienceMs, () =>
        this.#lapsed(answers),
      );
    }
  }

  /** This node is a member, for the first time or anew: it has been ready from now on. */
  joined(): void {
    this.#isMember = true;
    if (this.#away.length === 0) this.#beginSettling();
  }

  /** It is a member no more. */
  left(): void {
    this.#isMember = false;
    this.#unsettle();
  }

  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#options.changed();
  }

  stop(): void {
    this.#settling?.cancel();
    for (const { waiting } of Object.values(this.#answers)) waiting?.cancel();
  }

  get #away(): Dependency[] {
    const names = Object.keys(this.#answers) as Dependency[];
    return names.filter((name) => this.#answers[name].away);
  }

  #lapsed(answers: Answers): void {
    const { monotonicMs, times, changed } = this.#options;
    if (this.#away.length === 0) {
      const readyMs = monotonicMs() - this.#readySinceMs;
      const calmMs = CALM_SETTLES * settleMs({ lapses: this.#lapses }, times);
      this.#lapses = readyMs > calmMs ? 1 : this.#lapses + 1;
    }
    answers.away = true;
    this.#unsettle();
    changed();
  }

  #answered(answers: Answers): void {
    answers.waiting?.cancel();
    answers.waiting = null;
    if (!answers.away) return;
    answers.away = false;
    if (this.#away.length === 0) this.#beginSettling();
    this.#options.changed();
  }

  #beginSettling(): void {
    const { monotonicMs, timer, times, changed } = this.#options;
    this.#readySinceMs = monotonicMs();
    this.#unsettle();
    if (!this.#isMember) return;
    this.#settling = timer.after(settleMs({ lapses: this.#lapses }, times), () => {
      this.#isSettled = true;
      changed();
    });
  }

  #unsettle(): void {
    this.#settling?.cancel();
    this.#settling = null;
    this.#isSettled = false;
  }
}
