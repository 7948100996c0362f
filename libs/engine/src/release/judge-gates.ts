import type { Gate, GateFailure } from '@pawl/contracts';
import { LIMITS } from '@pawl/contracts';
import type { Candidates } from './candidates.js';

export type Verdict =
  | { readonly kind: 'pass' }
  /** Not enough is known: the stage goes on. */
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'fail'; readonly then: GateFailure; readonly why: string };

/** What is known of a stage at one time. */
export interface StageEvidence {
  readonly candidates: Candidates;
  /** How long just this has been published and watched without a break, milliseconds. */
  readonly publishedMs: number;
}

/** Judges a stage by its gates: the first that fails decides, then the first that waits. */
export function judgeGates(gates: readonly Gate[], evidence: StageEvidence): Verdict {
  const verdicts = gates.map((gate) => judge(gate, evidence));
  const failed = verdicts.find(({ kind }) => kind === 'fail');
  const { live } = evidence.candidates;
  const nobody: Verdict = { kind: 'wait', why: 'no live instance has been reached to judge it by' };
  const waits = live === 0 ? nobody : verdicts.find(({ kind }) => kind === 'wait');
  return failed ?? waits ?? { kind: 'pass' };
}

function judge(gate: Gate, { candidates, publishedMs }: StageEvidence): Verdict {
  const { live, applied, rejected, lost, reason } = candidates;
  const then = gate.onFailure ?? 'pause';
  switch (gate.kind) {
    case 'rejections': {
      if (rejected <= (gate.limit ?? 0)) return { kind: 'pass' };
      const why = `${rejected} of ${live} candidates rejected it: ${reason ?? 'no reason given'}`;
      return { kind: 'fail', then, why: why.slice(0, LIMITS.messageLength) };
    }
    case 'lost': {
      const share = percentOf(lost, live + lost);
      if (share <= (gate.percent ?? 0)) return { kind: 'pass' };
      const why = `${lost} of ${live + lost} candidates fell silent after they had applied it`;
      return { kind: 'fail', then, why };
    }
    case 'applied': {
      const wanted = gate.percent ?? 100;
      if (live === 0 || percentOf(applied, live) >= wanted) return { kind: 'pass' };
      const why = `${applied} of ${live} candidates have applied it, ${wanted} % must`;
      if (publishedMs <= (gate.withinMs ?? Infinity)) return { kind: 'wait', why };
      return { kind: 'fail', then, why };
    }
  }
}

function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : (part * 100) / whole;
}
