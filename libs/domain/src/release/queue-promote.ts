import { canonicalize, refused } from '@pawl/contracts';
import type { AddressText, Outcome, ReleaseRequest } from '@pawl/contracts';
import { changed, unchanged } from './changed-release.js';
import type { Transition } from './changed-release.js';
import type { ReleaseState } from './release-state.js';
import { ALL_AT_ONCE } from './resolve-strategy.js';
import type { ResolvedStrategy } from './resolve-strategy.js';
import type { Asked, QueuedRelease } from './queued-release.js';
import { isSameStrategy } from './staged-transitions.js';

export interface QueueInput {
  readonly state: ReleaseState;
  readonly request: ReleaseRequest;
  readonly address: AddressText;
  readonly releaseId: string;
  readonly asked: Asked;
}

/** Whether a promote begins later: at a time, or after the release that is under way. */
export function isForLater(
  { staged }: ReleaseState,
  { action, at, conflict }: ReleaseRequest,
): boolean {
  if (action !== 'promote') return false;
  return at !== undefined || (staged !== null && waits(conflict));
}

function waits(conflict: ReleaseRequest['conflict']): boolean {
  return conflict === 'queue' || conflict === 'requeue';
}

/**
 * Queues the promote of `target`. What is queued already stays, and it is refused (`release-queued`)
 * unless it takes its place (`requeue`).
 */
export function enqueue(
  input: QueueInput,
  { target, strategy }: { readonly target: number; readonly strategy: ResolvedStrategy | null },
): Outcome<Transition> {
  const { state, request, address, asked } = input;
  const { staged, queued } = state;
  const beginAt = request.at ?? null;
  const next: QueuedRelease = {
    ...{ id: input.releaseId, targetVersion: target, strategy, beginAt },
    ...{ by: asked.by, queuedAt: asked.at, generation: asked.generation },
    reason: request.reason ?? null,
    freezeException: request.freezeException ?? null,
  };
  if (queued !== null && isSamePromote(queued, next)) return unchanged(state);
  const stable = state.stableVersion ?? 0;
  if (target < stable) {
    const detail = `version ${target} is below the stable version ${stable}: use rollback to go back`;
    return refused('use-rollback', detail);
  }
  if (staged !== null && target <= staged.candidateVersion) {
    const isSame = target === staged.candidateVersion && strategy !== null;
    if (isSame && isSameStrategy(staged, strategy)) return unchanged(state);
    return nothingNewer(input, { target, under: staged.candidateVersion });
  }
  if (target === stable) return unchanged(state);
  if (state.blockedVersions.includes(target)) {
    const detail = `version ${target} of ${address} is blocked: unblock it or choose another`;
    return refused('version-blocked', detail);
  }
  if (queued !== null && request.conflict !== 'requeue') {
    const detail =
      `version ${queued.targetVersion} of ${address} ${whenOf(queued)}, asked for by ${queued.by}, and one at a ` +
      'time can be: cancel it, or take its place with conflict "requeue"';
    return refused('release-queued', detail, { currentReleaseVersion: state.releaseVersion });
  }
  return changed(state, { queued: next });
}

function nothingNewer(
  { state, address }: QueueInput,
  { target, under }: { readonly target: number; readonly under: number },
): Outcome<never> {
  const what =
    target === under ? `version ${target}` : `version ${under}, which is newer than ${target},`;
  const detail = `${what} of ${address} is being released already: what is queued has to be newer`;
  return refused('release-in-flight', detail, { currentReleaseVersion: state.releaseVersion });
}

/**
 * Why a promote does not begin at once where another is queued that it would drop, for it reaches that version
 * or passes it: what was to go in stages, or at night, would reach everybody now. `undefined`: nothing is in
 * its way, or it says that it takes that one's place, which `all-at-once` by its name says too.
 */
export function queuedInTheWay(
  {
    state,
    request,
    address,
    begins,
  }: Pick<QueueInput, 'state' | 'request' | 'address'> & {
    readonly begins?: QueuedRelease;
  },
  { target, strategy }: { readonly target: number; readonly strategy: ResolvedStrategy | null },
): Outcome<never> | undefined {
  const { queued } = state;
  if (queued === null || begins !== undefined || state.staged !== null) return undefined;
  if (target < queued.targetVersion) return undefined;
  const takesPlace = request.conflict === 'supersede' || request.conflict === 'requeue';
  if (takesPlace || (strategy === null && request.strategy !== undefined)) return undefined;
  const name = queued.strategy?.strategy ?? ALL_AT_ONCE;
  const detail =
    `version ${queued.targetVersion} of ${address} ${whenOf(queued)} by the strategy ${name}, asked for by ` +
    `${queued.by}, and is dropped by this: cancel it, or take its place with conflict "supersede"`;
  return refused('release-queued', detail, { currentReleaseVersion: state.releaseVersion });
}

function whenOf({ beginAt }: QueuedRelease): string {
  return beginAt === null ? 'is queued' : `is to begin at ${beginAt}`;
}

/** Drops what is queued. */
export function cancelQueued({
  state,
  address,
}: Pick<QueueInput, 'state' | 'address'>): Outcome<Transition> {
  if (state.queued !== null) return changed(state, { queued: null });
  const under = state.staged === null ? '' : '; abort ends the release that is under way';
  const detail = `nothing is queued at ${address}, which is ${state.state}${under}`;
  return refused('invalid-transition', detail);
}

/**
 * A transition with what it makes of a promote that was queued before. That is dropped with whatever takes
 * anybody back and ends what is under way, for it would have been built on that, when its version is
 * blocked, once its version is reached or passed, and where a promote that is to take its place begins at once.
 */
export function dropOvertaken(
  before: ReleaseState,
  { changed: isChange, next }: Transition,
  { conflict }: Pick<ReleaseRequest, 'conflict'>,
): Transition {
  const { queued, stableVersion, staged, blockedVersions } = next;
  if (!isChange || queued === null || queued !== before.queued) return { changed: isChange, next };
  const { targetVersion } = queued;
  const goesOn = staged !== null && staged.id === before.staged?.id;
  const takesBack = next.loweredAt === next.releaseVersion && !goesOn;
  const reached = Math.max(stableVersion ?? 0, staged?.candidateVersion ?? 0);
  const givesWay = takesBack || conflict === 'requeue';
  const stays = !givesWay && targetVersion > reached && !blockedVersions.includes(targetVersion);
  return { changed: true, next: stays ? next : { ...next, queued: null } };
}

/** In whatever order a store keeps the members, and wherever the strategy is from. */
function isSamePromote(queued: QueuedRelease, wanted: QueuedRelease): boolean {
  const of = ({ targetVersion, strategy, beginAt }: QueuedRelease): string => {
    const { policyVersion: _, ...course } = strategy ?? {};
    return canonicalize([targetVersion, strategy && course, beginAt]);
  };
  return of(queued) === of(wanted);
}
