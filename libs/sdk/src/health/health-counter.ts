import { HEALTH_SPANS } from '@pawl/contracts';
import type { HelloHealth, HeldSnapshot } from '@pawl/contracts';
import type { Clock } from '@pawl/kernel';
import type { HealthReport, ScopeHealth } from '../types.js';
import { HealthSpan } from './health-span.js';

const ONE_REQUEST: HealthReport = {};

/**
 * Counts what a service reports at one address, anew for each snapshot applied. What was counted under
 * former ones is told until a heartbeat that told of it is answered, of so many as it takes.
 */
export class HealthCounter implements ScopeHealth {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #spans = 0;
  #present: HealthSpan | null = null;
  /** The newest last; none of them empty. */
  #former: readonly HealthSpan[] = [];

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  report(what: HealthReport = ONE_REQUEST): void {
    // Callers without types: what is `null` is passed over as any other odd report is.
    if ((what as HealthReport | null) !== null) this.#present?.add(what);
  }

  async time<R>(work: () => R | PromiseLike<R>): Promise<R> {
    const span = this.#present;
    const startedMs = this.#clock.monotonicMs();
    let errors = 1;
    try {
      const result = await work();
      errors = 0;
      return result;
    } finally {
      span?.add({ errors, latencyMs: this.#clock.monotonicMs() - startedMs });
    }
  }

  /** From now on this runs. */
  applied(head: HeldSnapshot): void {
    const former = this.#present;
    if (former !== null && !former.isEmpty) {
      this.#former = [...this.#former, former].slice(1 - HEALTH_SPANS);
    }
    this.#spans += 1;
    this.#present = new HealthSpan(this.#spans, head);
  }

  /** What a heartbeat tells, the oldest first; empty where there is nothing to tell. */
  said(): readonly HelloHealth[] {
    const present = this.#present;
    const spans = present === null || present.isEmpty ? this.#former : [...this.#former, present];
    return spans.map((span) => span.said());
  }

  /** Which application counts now; 0 before the first. */
  get span(): number {
    return this.#spans;
  }

  /** A heartbeat was answered that told all of what was counted before this application. */
  told(before: number): void {
    if (this.#former.length === 0) return;
    this.#former = this.#former.filter(({ span }) => span >= before);
  }
}
