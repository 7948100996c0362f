import { done } from '@pawl/contracts';
import type { Address, Outcome, PreviewPromote, ReleaseRequest } from '@pawl/contracts';
import { INITIAL_RELEASE, isForLater, planTransition } from '@pawl/domain';
import type { StagedRelease, Transition } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { RootTree } from '../sharding/root-tree.js';
import { gatesNotJudged } from './gates-not-judged.js';
import { nextReleaseId } from './next-release-id.js';
import { judgeTime } from './queued-promotes.js';
import { judgePolicy } from './release-policy.js';
import { nothingPreempts, preempted } from './preempt-releases.js';
import { tooManyReleases } from './releases-in-flight.js';
import type { Dropped } from './releases-in-flight.js';

/** Everybody at once. */
const AT_ONCE = {
  strategy: '',
  stages: [{ percent: 100, bakeMs: 0 }],
  gates: [],
  stage: 0,
} as const;

/** What a promote would do. */
export interface PlannedPromote {
  /** The release that it would begin; `null`: nothing would change. */
  readonly release: StagedRelease | null;
  /** The releases below that it would end. */
  readonly ended: readonly Dropped[];
}

/**
 * The release that a promote would begin, or why it would be refused. One that reaches everybody at
 * once has a single stage, and no strategy. What would be queued is refused as that would be, and begins as
 * if nothing were under way any more. `newestVersion`: 0 for none.
 */
export function planPromote(
  context: EngineContext,
  of: { readonly tree: RootTree; readonly address: Address; readonly newestVersion: number },
  promote: PreviewPromote,
): Outcome<PlannedPromote> {
  const { tree, address, newestVersion } = of;
  const timed = judgeTime(context, { ...promote, action: 'promote' });
  if (!timed.ok) return timed;
  const node = tree.get(address);
  const state = node?.release ?? INITIAL_RELEASE;
  const later = isForLater(state, timed.value);
  const policed = judgePolicy(context, { tree, address, isForLater: later }, timed.value);
  if (!policed.ok) return policed;
  const releaseId = nextReleaseId(context, tree.generation, { address, release: state });
  const planOf = (request: ReleaseRequest): Outcome<Transition> =>
    planTransition({
      ...{ state, newestVersion, releaseId, address: address.text },
      asked: { by: '', at: '', generation: tree.generation },
      ...{ ...policed.value, request },
    });
  const asked = planOf(policed.value.request);
  if (!asked.ok) return asked;
  const preempting = { tree, address, names: promote.preempt ?? [] };
  if (!asked.value.changed) {
    return nothingPreempts(preempting) ?? done({ release: null, ended: [] });
  }
  const plan = later ? planOf(atItsTime(policed.value.request)) : asked;
  if (!plan.ok) return plan;
  const judged = preempted(preempting, '');
  if (!judged.ok) return judged;
  const ended = judged.value;
  const { next } = plan.value;
  const { staged, stableVersion } = next;
  if (staged === null) {
    const candidateVersion = stableVersion ?? newestVersion;
    const release = { ...AT_ONCE, id: releaseId, candidateVersion, pausedFor: null };
    return done({ release, ended });
  }
  const isAlone = later || node === undefined;
  const refusal =
    gatesNotJudged(context, staged.gates) ??
    (isAlone ? undefined : tooManyReleases(tree, { node, next, ended }));
  return refusal ?? done({ release: staged, ended });
}

/** The promote by which what is queued begins. */
function atItsTime({ at: _, ...request }: ReleaseRequest): ReleaseRequest {
  return { ...request, conflict: 'supersede' };
}
