import type { PolicyVersion, ReleaseAction, ReleaseEnd, ReleaseOutcome } from '@pawl/contracts';
import type { ReleaseState } from './release-state.js';
import { isInPreflight } from './staged-release.js';
import type { StagedRelease } from './staged-release.js';

/** What a line of history says of the release in stages that its transition is about. */
export interface ReleaseLine {
  readonly releaseId?: string;
  /** Of a promote that began it by a strategy of a release policy. */
  readonly policyVersion?: PolicyVersion;
  /** Set when it ended with the transition. */
  readonly ended?: ReleaseEnd;
}

/** What led from one state to the next. */
export interface Cause {
  readonly action: ReleaseAction;
  /** How a release ends with it, where the action alone does not tell. */
  readonly outcome?: ReleaseOutcome | undefined;
}

/** How a release in stages ends with an action that ends it. */
const OUTCOMES: Partial<Readonly<Record<ReleaseAction, ReleaseOutcome>>> = {
  advance: 'completed',
  abort: 'aborted',
  rollback: 'rolled-back',
  disable: 'disabled',
  block: 'blocked',
  promote: 'superseded',
};

/** What is done of the release under way, whatever else there is. */
const ABOUT_STAGED: ReadonlySet<ReleaseAction> = new Set([
  ...(['advance', 'skip', 'pause', 'resume', 'abort', 'hold', 'approve'] as const),
]);

/**
 * What the line of a transition says of the release in stages that it begins, moves on or ends; nothing
 * where it does neither. A promote that ends one is about what it begins: {@link supersededBy} has the other.
 */
export function lineOf(before: ReleaseState, next: ReleaseState, cause: Cause): ReleaseLine {
  const { staged } = next;
  if (staged !== null && staged.id !== before.staged?.id) {
    const { id: releaseId, policyVersion } = staged;
    return policyVersion === undefined ? { releaseId } : { releaseId, policyVersion };
  }
  if (before.staged === null || cause.action === 'promote') return {};
  if (staged === null) return endingLine(before, before.staged, cause);
  return ABOUT_STAGED.has(cause.action) ? { releaseId: staged.id } : {};
}

/** What is to be said, in a line of its own, of the release whose place a promote takes; `null`: it takes none. */
export function supersededBy(
  before: ReleaseState,
  next: ReleaseState,
  cause: Cause,
): ReleaseLine | null {
  const { staged } = before;
  const isOver = staged !== null && staged.id !== next.staged?.id;
  return isOver && cause.action === 'promote' ? endingLine(before, staged, cause) : null;
}

function endingLine(
  { stableVersion }: ReleaseState,
  staged: StagedRelease,
  { action, outcome = OUTCOMES[action] ?? 'aborted' }: Cause,
): ReleaseLine {
  const { id, strategy, candidateVersion, policyVersion, stage, stages, begunAt, begunBy } = staged;
  return {
    releaseId: id,
    ended: {
      ...{ outcome, strategy, candidate: candidateVersion, stableVersion },
      ...(isInPreflight(staged) ? {} : { stage }),
      stages: stages.length,
      ...(policyVersion === undefined ? {} : { policyVersion }),
      ...(begunAt === undefined ? {} : { begunAt }),
      ...(begunBy === undefined ? {} : { begunBy }),
    },
  };
}
