/** What one validation may cost before it is stopped. */
export interface WorkLimits {
  /** Visits of subschemas, weighed by what a visit looks at. */
  readonly units: number;
  /** Characters times instructions of all regular expressions that are run. */
  readonly patternWork: number;
}

export const UNLIMITED: WorkLimits = { units: Infinity, patternWork: Infinity };

/** Thrown out of a validation that reached its {@link WorkLimits}; nothing is known about it. */
export class WorkExhausted extends Error {
  override readonly name = 'WorkExhausted';
}

/** Counts the work of one validation at a time. Validations are synchronous and never nest. */
export class Meter {
  /** Units left; generated code counts it down. */
  left = Infinity;
  #patternWorkLeft = Infinity;

  start(limits: WorkLimits): void {
    this.left = limits.units;
    this.#patternWorkLeft = limits.patternWork;
  }

  spend(units: number): void {
    this.left -= units;
    if (this.left < 0) this.stop();
  }

  spendPattern(work: number): void {
    this.#patternWorkLeft -= work;
    if (this.#patternWorkLeft < 0) this.stop();
  }

  stop(): never {
    throw new WorkExhausted('the validation reached its limit of work');
  }
}
