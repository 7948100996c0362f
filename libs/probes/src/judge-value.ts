import type { ExternalGate } from '@pawl/contracts';
import type { ProbeAnswer } from '@pawl/engine';

/** Enough for people to see why. */
const SHOWN_DIGITS = 4;

/**
 * Holds a value against the bounds of a gate, which belong to the good side, and against the baseline.
 * Over a baseline of 0 only 0 passes: where the rest has none, one is more than any number of times as
 * many. A negative baseline has no times.
 */
export function judgeValue(
  gate: Pick<ExternalGate, 'min' | 'max' | 'maxRatio'>,
  value: number,
  baseline?: number,
): ProbeAnswer {
  const seen = baseline === undefined ? { value } : { value, baseline };
  const shown = baseline === undefined ? show(value) : `${show(value)} over ${show(baseline)}`;
  const { min, max, maxRatio } = gate;
  if (min !== undefined && value < min) {
    return { outcome: 'fail', ...seen, why: `${shown}, at least ${min} is asked for` };
  }
  if (max !== undefined && value > max) {
    return { outcome: 'fail', ...seen, why: `${shown}, at most ${max} is allowed` };
  }
  if (maxRatio === undefined || baseline === undefined) {
    return { outcome: 'pass', ...seen, why: shown };
  }
  if (baseline < 0) {
    return { outcome: 'inconclusive', ...seen, why: `${shown}: of a negative baseline` };
  }
  const outcome = value <= maxRatio * baseline ? 'pass' : 'fail';
  return { outcome, ...seen, why: `${shown}${times(value, baseline)}, ${allowed(maxRatio)}` };
}

function times(value: number, baseline: number): string {
  return baseline === 0 ? '' : `: ${show(value / baseline)} times it`;
}

function allowed(maxRatio: number): string {
  return `at most ${maxRatio} times it is allowed`;
}

function show(value: number): string {
  return String(Number(value.toPrecision(SHOWN_DIGITS)));
}
