import type { Gate, GateFailure } from '@pawl/contracts';
import { LIMITS } from '@pawl/contracts';
import type { Candidates } from './candidates.js';
import type { Evidence } from './gather-evidence.js';

export type Verdict =
  | { readonly kind: 'pass'; readonly why: string }
  /** Not enough is known: the stage goes on. `grows`: since somebody is still to be reached. */
  | { readonly kind: 'wait'; readonly why: string; readonly grows?: true }
  | { readonly kind: 'fail'; readonly then: GateFailure; readonly why: string };

/** What is known of a stage at one time. */
export interface StageEvidence extends Evidence {
  /** How long the share of those that applied it has been short, with the same snapshots, milliseconds. */
  readonly shortMs: number;
  /** Rejections and losses that whoever resumed the release has seen. */
  readonly forgiven: Pick<Candidates, 'rejected' | 'lost'>;
}

/**
 * Judges a stage by its gates: the first that fails decides. Whatever the gates are, silence is no yes: it
 * waits until an instance of each workload has applied it, and one that the newest stage takes.
 */
export function judgeGates(gates: readonly Gate[], evidence: StageEvidence): Verdict {
  const verdicts = gates.flatMap((gate) => judge(gate, evidence) ?? []);
  const failed = verdicts.find(({ kind }) => kind === 'fail');
  if (failed !== undefined) return failed;
  const waits = waitsForAnybody(evidence) ?? verdicts[0] ?? waitsForWorkload(evidence);
  if (waits !== undefined) return waits;
  const { applied, live } = evidence.all;
  return { kind: 'pass', why: `${applied} of ${live} candidates have applied it` };
}

/** Whether fewer have applied it than the gate `applied` asks for. */
export function isShort(
  gates: readonly Gate[],
  { all, forgiven }: Pick<StageEvidence, 'all' | 'forgiven'>,
): boolean {
  const gate = gates.find(({ kind }) => kind === 'applied');
  const reached = reachedOf(all, forgiven);
  if (gate === undefined || reached === 0) return false;
  return percentOf(all.applied, reached) < (gate.percent ?? 100);
}

/** Candidates but those whose loss was seen by whoever resumed the release. */
function reachedOf(all: Candidates, forgiven: StageEvidence['forgiven']): number {
  return all.live + Math.max(0, all.lost - forgiven.lost);
}

const GROWS = { kind: 'wait', grows: true } as const;

function waitsForAnybody({ all, isNewestReached }: StageEvidence): Verdict | undefined {
  if (all.live === 0) {
    return { ...GROWS, why: 'no live instance has been reached to judge it by' };
  }
  if (isNewestReached) return undefined;
  return { ...GROWS, why: 'no live instance has the labels of this stage' };
}

function waitsForWorkload(evidence: StageEvidence): Verdict | undefined {
  const { all, forgiven, byWorkload, rest, takesAnybody } = evidence;
  for (const [workload, { live, applied }] of byWorkload) {
    if (applied > 0) continue;
    // Whoever resumed the release has seen that it is gone.
    if (live === 0 && all.lost <= forgiven.lost) continue;
    const why = live === 0 ? 'no candidate is live' : 'no candidate has applied it';
    return { kind: 'wait', why: `of ${workload} ${why}` };
  }
  const missing = [...rest].find((workload) => !byWorkload.has(workload));
  if (missing === undefined || !takesAnybody) return undefined;
  return { ...GROWS, why: `no instance of ${missing} has been reached` };
}

function judge(gate: Gate, evidence: StageEvidence): Verdict | undefined {
  const { all, forgiven, shortMs } = evidence;
  const { live, applied, reason } = all;
  const then = gate.onFailure ?? 'pause';
  switch (gate.kind) {
    case 'rejections': {
      if (all.rejected - forgiven.rejected <= (gate.limit ?? 0)) return undefined;
      const why = `${all.rejected} of ${live} candidates rejected it: ${reason ?? 'no reason given'}`;
      return { kind: 'fail', then, why: why.slice(0, LIMITS.messageLength) };
    }
    case 'lost': {
      const lost = all.lost - forgiven.lost;
      if (lost <= 0) return undefined;
      if (percentOf(lost, live + all.lost) > (gate.percent ?? 0)) {
        const why = `${all.lost} of ${live + all.lost} candidates fell silent without a goodbye`;
        return { kind: 'fail', then, why };
      }
      const dead = [...evidence.byWorkload].find(([, one]) => one.live === 0 && one.lost > 0);
      if (dead === undefined) return undefined;
      return { kind: 'fail', then, why: `all candidates of ${dead[0]} fell silent` };
    }
    case 'applied': {
      if (!isShort([gate], evidence)) return undefined;
      const reached = reachedOf(all, forgiven);
      const why = `${applied} of ${reached} candidates have applied it, ${gate.percent ?? 100} % must`;
      if (shortMs <= (gate.withinMs ?? Infinity)) return { kind: 'wait', why };
      return { kind: 'fail', then, why };
    }
    default:
      return { kind: 'wait', why: `${gate.kind} was not judged yet` };
  }
}

function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : (part * 100) / whole;
}
