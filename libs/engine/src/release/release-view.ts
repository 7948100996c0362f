import type {
  Address,
  PreflightProgress,
  QueuedView,
  ReleaseView,
  StagedView,
} from '@pawl/contracts';
import { isInPreflight } from '@pawl/domain';
import type { QueuedRelease, ReleaseState, StagedRelease } from '@pawl/domain';
import { strategyName } from './queued-promotes.js';

/** `waitsFor`: why what is queued has not begun, where that is known. */
export function releaseView(
  address: Address,
  release: ReleaseState,
  waitsFor?: string,
): ReleaseView {
  const { state, releaseVersion, stableVersion, blockedVersions, forced, staged, queued } = release;
  return {
    address: address.text,
    state,
    releaseVersion,
    stableVersion,
    ...(staged === null ? {} : { candidate: staged.candidateVersion, staged: stagedView(staged) }),
    ...(queued === null ? {} : { queued: queuedView(queued, waitsFor) }),
    ...(blockedVersions.length === 0 ? {} : { blockedVersions: [...blockedVersions] }),
    ...(forced ? { forced: true as const } : {}),
  };
}

/** The stage as it is told, and that consumers are still asked where that is so. */
export function stageView(
  staged: Pick<StagedRelease, 'stage'>,
  preflight: PreflightProgress = { state: 'asking' },
): { readonly stage: number; readonly preflight?: PreflightProgress } {
  return isInPreflight(staged) ? { stage: 0, preflight } : { stage: staged.stage };
}

function stagedView(staged: StagedRelease): StagedView {
  const { id, strategy, stages, gates, pausedFor, held, approved } = staged;
  const { expireMs, pausedAt } = staged;
  return {
    id,
    strategy,
    ...stageView(staged),
    stages,
    gates,
    ...(pausedFor === null ? {} : { reason: pausedFor }),
    ...(held === undefined ? {} : { held }),
    ...(approved === undefined ? {} : { approved }),
    ...(expireMs === undefined ? {} : { expireMs }),
    ...(pausedAt === undefined ? {} : { pausedAt }),
  };
}

export function queuedView(queued: QueuedRelease, waitsFor?: string): QueuedView {
  const { id, targetVersion, by, queuedAt, reason, freezeException, beginAt } = queued;
  return {
    ...{ id, targetVersion, strategy: strategyName(queued), by, queuedAt },
    ...(reason === null ? {} : { reason }),
    ...(freezeException === null ? {} : { freezeException }),
    ...(beginAt === null ? {} : { at: beginAt }),
    ...(waitsFor === undefined ? {} : { waitsFor }),
  };
}
