import { LIMITS } from '@pawl/contracts';
import type { Gate } from '@pawl/contracts';
import type { Candidates } from './candidates.js';
import { NOBODY } from './finding.js';
import type { Finding } from './finding.js';
import type { Evidence } from './gather-evidence.js';
import { judgeRestarts } from './judge-restarts.js';
import { judgeHealth } from './judge-health.js';
import type { StageHealth } from './judge-health.js';

/** Rejections and losses that whoever resumed the release has seen. */
export type Forgiven = Pick<Candidates, 'rejected' | 'lost'>;

/** What is known of a stage at one time. */
export interface StageEvidence extends Evidence {
  /** How long the share of those that applied it has been short, with the same candidates, milliseconds. */
  readonly shortMs: number;
  /** The same of each workload where it is. */
  readonly shortByWorkload: ReadonlyMap<string, number>;
  /** Monotonic time at which the stage began. */
  readonly stageSinceMs: number;
  readonly forgiven: Forgiven & { readonly byWorkload: ReadonlyMap<string, Forgiven> };
  /** What services report of themselves in a window of so many milliseconds. */
  readonly health: (windowMs: number) => StageHealth;
}

/** A gate that is judged by what consumers report. */
export type ReportedGate = Gate & {
  readonly kind: 'rejections' | 'lost' | 'applied' | 'restarts' | 'errors' | 'latency';
};

const NOTHING_FORGIVEN: Forgiven = { rejected: 0, lost: 0 };

/** Judges by what consumers report: over all first, then each workload that is not well. */
export function judgeGate(gate: ReportedGate, evidence: StageEvidence): readonly Finding[] {
  switch (gate.kind) {
    case 'rejections':
      return judgeEach(gate, evidence, judgeRejections);
    case 'lost':
      return judgeEach(gate, evidence, judgeLost);
    case 'applied':
      return judgeEach(gate, evidence, judgeApplied);
    case 'restarts':
      return judgeRestarts(gate, evidence);
    case 'errors':
    case 'latency':
      return judgeHealth(gate, evidence.health(gate.windowMs ?? 60_000));
    default:
      return [
        { outcome: 'inconclusive', why: 'this node is older than the gate, and cannot judge it' },
      ];
  }
}

/** Whether fewer have applied it than the gate `applied` asks for. */
export function isShort(
  gates: readonly Gate[],
  { all, forgiven }: { readonly all: Candidates; readonly forgiven: Forgiven },
): boolean {
  const gate = gates.find(({ kind }) => kind === 'applied');
  const reached = reachedOf(all, forgiven);
  if (gate === undefined || reached === 0) return false;
  return percentOf(all.applied, reached) < (gate.percent ?? 100);
}

/** Of each workload that is short by itself: for how long now. */
export function shortWorkloads(
  gates: readonly Gate[],
  of: Pick<StageEvidence, 'byWorkload' | 'forgiven' | 'shortByWorkload'> & {
    /** Time that counts since the last look. */
    readonly stepMs: number;
    /** It had reached just this then, too; all begin anew otherwise. */
    readonly isSame: boolean;
  },
): ReadonlyMap<string, number> {
  const short = new Map<string, number>();
  if (!gates.some(({ kind }) => kind === 'applied')) return short;
  for (const [workload, all] of of.byWorkload) {
    const forgiven = of.forgiven.byWorkload.get(workload) ?? NOTHING_FORGIVEN;
    if (!isShort(gates, { all, forgiven })) continue;
    const beforeMs = of.shortByWorkload.get(workload) ?? 0;
    short.set(workload, of.isSame ? beforeMs + of.stepMs : 0);
  }
  return short;
}

/** Candidates but those whose loss was seen by whoever resumed the release. */
function reachedOf(all: Candidates, forgiven: Forgiven): number {
  return all.live + Math.max(0, all.lost - forgiven.lost);
}

type JudgeSome = (gate: Gate, some: Candidates, seen: Seen) => Finding;

/** What is known beside how candidates answer. */
interface Seen {
  readonly forgiven: Forgiven;
  readonly shortMs: number;
}

/**
 * Over all, and each workload that is not well by itself. Where none can be held, of rejections only all
 * together count, and one instance that is lost or late makes a workload unwell only where it is all there is.
 */
function judgeEach(gate: Gate, evidence: StageEvidence, judge: JudgeSome): readonly Finding[] {
  const { all, forgiven, byWorkload, shortMs, shortByWorkload } = evidence;
  const over = judge(gate, all, { forgiven, shortMs });
  const alone: Finding[] = [];
  for (const [workload, some] of byWorkload) {
    const seen = forgiven.byWorkload.get(workload) ?? NOTHING_FORGIVEN;
    if (gate.onFailure !== 'hold' && !isClear(gate, some, seen)) continue;
    const short = shortByWorkload.get(workload) ?? 0;
    const finding = judge(gate, some, { forgiven: seen, shortMs: short });
    if (finding.outcome === 'fail') alone.push({ ...finding, workload });
  }
  if (gate.onFailure !== 'hold' || over.outcome !== 'fail' || alone.length > 0) {
    return [over, ...alone];
  }
  // It takes all of them to be too many: no workload is at fault.
  return [{ ...over, outcome: 'pass' }];
}

/** Whether a workload is unwell beyond one instance of several. */
function isClear({ kind }: Gate, some: Candidates, forgiven: Forgiven): boolean {
  const reached = reachedOf(some, forgiven);
  const lost = some.lost - forgiven.lost;
  const missing = kind === 'lost' ? lost : reached - some.applied;
  return kind !== 'rejections' && (missing > 1 || missing === reached);
}

function judgeRejections({ limit = 0 }: Gate, some: Candidates, { forgiven }: Seen): Finding {
  const { live, rejected, reason } = some;
  if (live === 0) return { ...NOBODY, limit };
  const told = { value: rejected, limit };
  if (rejected - forgiven.rejected <= limit) {
    return { outcome: 'pass', why: `${rejected} of ${live} candidates reject it`, ...told };
  }
  const why = `${rejected} of ${live} candidates rejected it: ${reason ?? 'no reason given'}`;
  return { outcome: 'fail', why: why.slice(0, LIMITS.messageLength), ...told };
}

function judgeLost({ percent = 0 }: Gate, some: Candidates, { forgiven }: Seen): Finding {
  const all = some.live + some.lost;
  if (all === 0) return { ...NOBODY, limit: percent };
  const lost = Math.max(0, some.lost - forgiven.lost);
  const why = `${some.lost} of ${all} candidates fell silent without a goodbye`;
  const told = { why, value: Number(percentOf(lost, all).toPrecision(4)), limit: percent };
  return { outcome: percentOf(lost, all) > percent ? 'fail' : 'pass', ...told };
}

function judgeApplied(gate: Gate, all: Candidates, { forgiven, shortMs }: Seen): Finding {
  const { percent = 100, withinMs = Infinity } = gate;
  const reached = reachedOf(all, forgiven);
  if (reached === 0) return { ...NOBODY, limit: percent };
  const share = percentOf(all.applied, reached);
  const told = { value: Number(share.toPrecision(4)), limit: percent };
  const have = `${all.applied} of ${reached} candidates have applied it`;
  if (share >= percent) return { outcome: 'pass', why: have, ...told };
  const why = `${have}, ${percent} % must`;
  return { outcome: shortMs > withinMs ? 'fail' : 'inconclusive', why, ...told };
}

function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : (part * 100) / whole;
}
