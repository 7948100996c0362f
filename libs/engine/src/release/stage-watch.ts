import type { Address } from '@pawl/contracts';
import type { StagedRelease } from '@pawl/domain';
import type { Evidence } from './gather-evidence.js';
import { GateMemory } from './gate-memory.js';
import type { Forgiven, StageEvidence } from './judge-gates.js';
import { StageProgress } from './stage-progress.js';
import type { Verdict } from './weigh-gates.js';

/** What the owner has seen of one stage. */
export interface Watch {
  readonly id: string;
  readonly stage: number;
  /** Monotonic time at which this owner first saw the release. */
  readonly sinceMs: number;
  /** How long its candidates were well while everything was published, milliseconds. */
  bakedMs: number;
  /** Monotonic time of the last look at which everything was published; `null`: it was not. */
  publishedMs: number | null;
  /** Of that look: where it is another now, it may have been paused in between, and that is not baked. */
  releaseVersion: number;
  /** How far it had reached then, see `reachOf`. */
  reach: number;
  /** How long too few of just those that it had reached have applied it, milliseconds. */
  shortMs: number;
  /** The same of each workload that is short by itself. */
  shortByWorkload: ReadonlyMap<string, number>;
  /** It was not rolling at the last look: whoever resumes it has seen what is wrong. */
  isHeld: boolean;
  /** Workloads that were held at the last look. */
  held: readonly string[];
  forgiven: StageEvidence['forgiven'];
  /** Monotonic time at which this owner first saw it at this stage. */
  readonly stageSinceMs: number;
  /** Monotonic time since when requests and restarts are judged: whoever resumed it has seen those before. */
  requestsSinceMs: number;
  /** Slots that were in a crash loop before they were candidates. */
  readonly excused: Set<string>;
  readonly gates: GateMemory;
  readonly progress: StageProgress;
  /** Monotonic times before which each is not done (again). */
  readonly notBefore: Record<Deed, number>;
  /** What is under way. */
  readonly doing: Set<Deed>;
  verdict: Verdict | null;
}

export type Deed = 'stop' | 'advance' | 'grow' | 'note';

/** The watches of the releases of one root. */
export type Watches = Map<Address['text'], Watch>;

const NOTHING: StageEvidence['forgiven'] = { rejected: 0, lost: 0, byWorkload: new Map() };

/** The watch of the stage that is reached, begun where there is none; a former stage's ends. */
export function watchOf(
  watches: Watches,
  at: Address['text'],
  { staged, nowMs }: { readonly staged: StagedRelease; readonly nowMs: number },
): Watch {
  const { id, stage, gates } = staged;
  const known = watches.get(at);
  if (known?.id === id && known.stage === stage) return known;
  known?.gates.end();
  const before = known?.id === id ? known : undefined;
  const watch: Watch = {
    ...{ id, stage, bakedMs: 0, publishedMs: null, shortMs: 0, verdict: null },
    shortByWorkload: new Map(),
    ...{ releaseVersion: 0, reach: 0, isHeld: false, held: before?.held ?? [] },
    ...{ sinceMs: before?.sinceMs ?? nowMs, stageSinceMs: nowMs },
    forgiven: before?.forgiven ?? NOTHING,
    requestsSinceMs: before?.requestsSinceMs ?? nowMs,
    excused: before?.excused ?? new Set(),
    gates: new GateMemory(gates),
    progress: new StageProgress(),
    notBefore: { stop: 0, advance: 0, grow: 0, note: 0 },
    doing: new Set(),
  };
  watches.set(at, watch);
  return watch;
}

/** What is forgiven once this is seen: what had been seen, but what has healed since. */
export function forgiveSeen(
  watch: Pick<Watch, 'isHeld' | 'forgiven'>,
  { all, byWorkload }: Pick<Evidence, 'all' | 'byWorkload'>,
  hears: boolean,
): StageEvidence['forgiven'] {
  const { forgiven, isHeld } = watch;
  const least = (seen: Forgiven, now: Forgiven): Forgiven => ({
    rejected: Math.min(seen.rejected, now.rejected),
    // While nobody can be heard, nobody is known to be lost.
    lost: hears ? Math.min(seen.lost, now.lost) : seen.lost,
  });
  const seenOf = isHeld ? byWorkload : forgiven.byWorkload;
  if (!isHeld && forgiven === NOTHING) return NOTHING;
  const each = new Map<string, Forgiven>();
  for (const [workload, now] of byWorkload) {
    const seen = seenOf.get(workload);
    if (seen !== undefined && seen.rejected + seen.lost > 0) each.set(workload, least(seen, now));
  }
  return { ...least(isHeld ? all : forgiven, all), byWorkload: each };
}
