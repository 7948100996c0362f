/** What one validation may cost before it is stopped. */
export interface WorkLimits {
  /** Visits of subschemas, weighed by what a visit looks at. */
  readonly units: number;
  /** Milliseconds, looked at between two regular expressions. */
  readonly patternMs: number;
  /** Characters times instructions that a single regular expression may be given. */
  readonly patternWork: number;
}

export const UNLIMITED: WorkLimits = {
  units: Infinity,
  patternMs: Infinity,
  patternWork: Infinity,
};

/** Thrown out of a validation that reached its {@link WorkLimits}; nothing is known about it. */
export class WorkExhausted extends Error {
  override readonly name = 'WorkExhausted';
}

/** Counts the work of one validation at a time. Validations are synchronous and never nest. */
export class Meter {
  /** Units left; generated code counts it down. */
  left = Infinity;
  #limits = UNLIMITED;
  #untilMs = Infinity;

  start(limits: WorkLimits): void {
    this.#limits = limits;
    this.left = limits.units;
    this.#untilMs = limits.patternMs === Infinity ? Infinity : performance.now() + limits.patternMs;
  }

  spend(units: number): void {
    this.left -= units;
    if (this.left < 0) this.stop();
  }

  beforePattern(work: number): void {
    if (work > this.#limits.patternWork) this.stop();
    if (this.#untilMs !== Infinity && performance.now() > this.#untilMs) this.stop();
  }

  stop(): never {
    throw new WorkExhausted('the validation reached its limit of work');
  }
}
