import { cohortHeld, LATENCY_BUCKETS, latencyBucketOf, STABLE_COHORT } from '@pawl/contracts';
import type { HelloHealth, HeldSnapshot } from '@pawl/contracts';
import type { HealthReport } from '../types.js';

/** What was reported while one snapshot ran as one cohort; counts only grow. */
export class HealthSpan {
  #requests = 0;
  #errors = 0;
  readonly #latency = new Float64Array(LATENCY_BUCKETS);

  constructor(
    /** Which application in this process, 1 the first. */
    readonly span: number,
    private readonly head: HeldSnapshot,
  ) {}

  get isEmpty(): boolean {
    return this.#requests === 0 && this.#errors === 0;
  }

  /** Takes a report as a whole or not at all; called for each request, so it makes nothing. */
  add({ requests = 1, errors = 0, latencyMs }: HealthReport): void {
    // Callers without types: what is no number must not be added up.
    if (!isCount(requests) || !isCount(errors)) return;
    const allRequests = this.#requests + requests;
    const allErrors = this.#errors + errors;
    if (allRequests > Number.MAX_SAFE_INTEGER || allErrors > Number.MAX_SAFE_INTEGER) return;
    if (latencyMs !== undefined) {
      if (!Number.isFinite(latencyMs) || latencyMs < 0) return;
      this.#latency[latencyBucketOf(latencyMs)]! += requests;
    }
    this.#requests = allRequests;
    this.#errors = allErrors;
  }

  /** As heartbeats tell of it. */
  said(): HelloHealth {
    const { generation, version } = this.head;
    const cohort = cohortHeld(this.head);
    const last = this.#latency.findLastIndex((count) => count > 0);
    return {
      span: this.span,
      generation,
      version,
      ...(cohort === STABLE_COHORT ? {} : { cohort }),
      requests: this.#requests,
      errors: this.#errors,
      latency: [...this.#latency.subarray(0, last + 1)],
    };
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
