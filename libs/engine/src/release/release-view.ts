import type { Address, ReleaseView, StagedView } from '@pawl/contracts';
import type { ReleaseState, StagedRelease } from '@pawl/domain';

export function releaseView(address: Address, release: ReleaseState): ReleaseView {
  const { state, releaseVersion, stableVersion, blockedVersions, forced, staged } = release;
  return {
    address: address.text,
    state,
    releaseVersion,
    stableVersion,
    ...(staged === null ? {} : { candidate: staged.candidateVersion, staged: stagedView(staged) }),
    ...(blockedVersions.length === 0 ? {} : { blockedVersions: [...blockedVersions] }),
    ...(forced ? { forced: true as const } : {}),
  };
}

function stagedView(staged: StagedRelease): StagedView {
  const { id, strategy, stage, stages, gates, pausedFor, held, approved } = staged;
  return {
    id,
    strategy,
    stage,
    stages,
    gates,
    ...(pausedFor === null ? {} : { reason: pausedFor }),
    ...(held === undefined ? {} : { held }),
    ...(approved === undefined ? {} : { approved }),
  };
}
