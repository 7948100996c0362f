import type { GateOutcome } from '@pawl/contracts';

/** How a gate judges a release at one time: over all, or one workload that it judges alone. */
export interface Finding {
  /** `inconclusive`: nothing is known, or not yet. */
  readonly outcome: GateOutcome;
  readonly why: string;
  /** Of the candidates, and of the rest: a number of instances, per cent, milliseconds, or as answered. */
  readonly value?: number;
  readonly baseline?: number;
  readonly limit?: number;
  readonly workload?: string;
}

/** There is nobody to judge a release by. */
export const NOBODY: Finding = {
  outcome: 'inconclusive',
  why: 'no live instance has been reached to judge it by',
};

/** Of several findings of one gate: a failure decides, then what is not known. */
export function outcomeOf(findings: readonly Finding[]): GateOutcome {
  const outcomes = findings.map(({ outcome }) => outcome);
  if (outcomes.includes('fail')) return 'fail';
  return outcomes[0] ?? 'inconclusive';
}
