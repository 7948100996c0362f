import type { Gate, GateKind, GateResult } from '@pawl/contracts';
import { durationText } from './duration.js';

type Text = (gate: Gate) => string;

/** When each kind fails. */
const FAILS: Readonly<Record<Exclude<GateKind, 'approval'>, Text>> = {
  rejections: ({ limit }) => `rejections > ${limit ?? 0}`,
  lost: ({ percent }) => `lost > ${percent ?? 0} %`,
  applied: ({ percent, withinMs }) =>
    `applied < ${percent ?? 0} % within ${durationText(withinMs ?? 0)}`,
  restarts: ({ limit, withinMs }) =>
    `crash loops > ${limit ?? 0} (two ends within ${durationText(withinMs ?? 0)})`,
  errors: (gate) => `errors ${above(gate.maxPercent, '%', gate.maxRatio)}`,
  latency: (gate) =>
    `p${Math.round((gate.quantile ?? 0.99) * 1_000) / 10} ${above(gate.maxMs, 'ms', gate.maxRatio)}`,
  prometheus: ({ name, min, max, maxRatio }) => {
    const below = min === undefined ? [] : [`< ${min}`];
    const high = max === undefined && maxRatio === undefined ? [] : [above(max, '', maxRatio)];
    return `prometheus ${name ?? ''} ${[...below, ...high].join(' or ')}`;
  },
  webhook: ({ name }) => `webhook ${name ?? ''} says no`,
};

/** When a gate fails, and what then happens: `applied < 95 % within 1m → pause`. */
export function gateText(gate: Gate): string {
  const { kind, onFailure, failureLimit = 1, stages, dryRun } = gate;
  if (kind === 'approval') {
    const which =
      stages === undefined ? 'each stage' : `stage ${stages.map((at) => at + 1).join(', ')}`;
    return `${which} waits for an approval`;
  }
  const times = failureLimit === 1 ? '' : ` ${failureLimit} times in a row`;
  const then = dryRun === true ? 'nothing (dry run)' : (onFailure ?? 'pause');
  // A newer node may know more kinds.
  const fails: Text | undefined = FAILS[kind];
  return `${fails?.(gate) ?? kind}${times} → ${then}`;
}

function above(most: number | undefined, unit: string, ratio: number | undefined): string {
  const limit = most === undefined ? [] : [`> ${most} ${unit}`.trimEnd()];
  const times = ratio === undefined ? [] : [`> ${ratio} times the rest's`];
  return [...limit, ...times].join(' or ');
}

/** How gates judged last, a line each: `errors of cart: fail, 12 % of 400 requests failed (dry run)`. */
export function judgedLines(gates: readonly GateResult[] = []): string[] {
  return gates.map(({ kind, name, workload, outcome, why, dryRun, failures }) => {
    const gate = name === undefined ? kind : `${kind} ${name}`;
    const whose = workload === undefined ? gate : `${gate} of ${workload}`;
    const row = failures > 1 ? [`${failures} times in a row`] : [];
    const notes = [...row, ...(dryRun === true ? ['dry run'] : [])];
    const noted = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
    return `  ${whose}: ${outcome}, ${why}${noted}`;
  });
}

/** Workloads that a release leaves out, a line each. */
export function heldLines(held: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(held).map(([workload, why]) => `held: ${workload}, ${why}`);
}
