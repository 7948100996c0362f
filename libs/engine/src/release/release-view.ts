import type {
  Address,
  Freeze,
  PinnedBelow,
  PinView,
  PreflightProgress,
  QueuedView,
  ReleaseView,
  StagedView,
} from '@pawl/contracts';
import { isInPreflight } from '@pawl/domain';
import type { Pin, QueuedRelease, ReleaseState, StagedRelease } from '@pawl/domain';
import { strategyName } from './queued-promotes.js';

/** What the owner of an address knows beside its release state. */
export interface AboutRelease {
  /** Why what is queued has not begun. */
  readonly waitsFor?: string | undefined;
  readonly pinnedBelow?: PinnedBelow | undefined;
  /** What lets nothing go forward there. */
  readonly frozen?: Freeze;
  /** Why a pin has not ended in time, by ancestor. */
  readonly overdue?: ReadonlyMap<string, string>;
}

export function releaseView(
  address: Address,
  release: ReleaseState,
  { waitsFor, pinnedBelow, frozen, overdue }: AboutRelease = {},
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
    ...pinsView(release, overdue),
    ...(pinnedBelow === undefined ? {} : { pinnedBelow }),
    ...(frozen === undefined ? {} : { frozen }),
  };
}

/** Nothing where there are none. */
function pinsView(
  { pins }: Pick<ReleaseState, 'pins'>,
  overdue: AboutRelease['overdue'] = new Map(),
): { readonly pins?: PinView[] } {
  if (pins.length === 0) return {};
  return { pins: pins.map((pin) => pinView(pin, overdue.get(pin.ancestor))) };
}

/** `overdue`: why it has not ended in time. */
export function pinView({ releaseVersion: _, during: __, ...pin }: Pin, overdue?: string): PinView {
  return overdue === undefined ? pin : { ...pin, overdue };
}

/** The stage as it is told, and that consumers are still asked where that is so. */
export function stageView(
  staged: Pick<StagedRelease, 'stage'>,
  preflight: PreflightProgress = { state: 'asking' },
): { readonly stage: number; readonly preflight?: PreflightProgress } {
  return isInPreflight(staged) ? { stage: 0, preflight } : { stage: staged.stage };
}

/** When it began, in whose name, and by which release policy's strategy, as far as that is known. */
export function begunView({
  policyVersion,
  begunAt,
  begunBy,
}: StagedRelease): Pick<StagedView, 'policyVersion' | 'begunAt' | 'begunBy'> {
  return {
    ...(policyVersion === undefined ? {} : { policyVersion }),
    ...(begunAt === undefined ? {} : { begunAt }),
    ...(begunBy === undefined ? {} : { begunBy }),
  };
}

function stagedView(staged: StagedRelease): StagedView {
  const { id, strategy, stages, gates, pausedFor, held, approved } = staged;
  const { expireMs, progressMs, pausedAt } = staged;
  return {
    id,
    strategy,
    ...begunView(staged),
    ...stageView(staged),
    stages,
    gates,
    ...(pausedFor === null ? {} : { reason: pausedFor }),
    ...(held === undefined ? {} : { held }),
    ...(approved === undefined ? {} : { approved }),
    ...(expireMs === undefined ? {} : { expireMs }),
    ...(progressMs === undefined ? {} : { progressMs }),
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
