import { done } from '@pawl/contracts';
import type { Address, Outcome, PreviewPromote } from '@pawl/contracts';
import { INITIAL_RELEASE, planTransition } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { RootTree } from '../sharding/root-tree.js';
import { gatesNotJudged } from './gates-not-judged.js';
import { nextReleaseId } from './next-release-id.js';
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
 * once has a single stage, and no strategy. `newestVersion`: 0 for none.
 */
export function planPromote(
  context: EngineContext,
  of: { readonly tree: RootTree; readonly address: Address; readonly newestVersion: number },
  promote: PreviewPromote,
): Outcome<PlannedPromote> {
  const { tree, address, newestVersion } = of;
  const request = { ...promote, action: 'promote' } as const;
  const policed = judgePolicy(context, { tree, address }, request);
  if (!policed.ok) return policed;
  const node = tree.get(address);
  const state = node?.release ?? INITIAL_RELEASE;
  const releaseId = nextReleaseId(context, tree.generation, { address, release: state });
  const plan = planTransition({
    ...{ state, newestVersion, releaseId, address: address.text },
    asked: { by: '', at: '', generation: tree.generation },
    ...policed.value,
  });
  if (!plan.ok) return plan;
  const { changed, next } = plan.value;
  const preempting = { tree, address, names: promote.preempt ?? [] };
  if (!changed) return nothingPreempts(preempting) ?? done({ release: null, ended: [] });
  const judged = preempted(preempting, '');
  if (!judged.ok) return judged;
  const ended = judged.value;
  const { staged, stableVersion } = next;
  if (staged === null) {
    const candidateVersion = stableVersion ?? newestVersion;
    const release = { ...AT_ONCE, id: releaseId, candidateVersion, pausedFor: null };
    return done({ release, ended });
  }
  const refusal =
    gatesNotJudged(context, staged.gates) ??
    (node === undefined ? undefined : tooManyReleases(tree, { node, next, ended }));
  return refusal ?? done({ release: staged, ended });
}
