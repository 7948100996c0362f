import type { NewRelease } from './kept-truth.js';
import type { ToldTransition } from './told-transitions.js';

type Queued = NonNullable<NewRelease['queued']>;

/**
 * Why what is queued after a transition may not be, by a second set of rules: from what was done, and not
 * from what became of it; null: it may. `isRequeue`: a promote that takes the place of what is queued.
 */
export function troubleOfQueued(
  {
    action,
    by,
    isRequeue,
  }: Pick<ToldTransition, 'action' | 'by'> & { readonly isRequeue: boolean },
  now: NewRelease,
  next: NewRelease,
): string | null {
  if (action === 'queue' || action === 'schedule') return troubleOfNew(now, next);
  if (by === 'queued') return troubleOfBegun(now, next);
  if (now.queued === null) return next.queued === null ? null : 'nobody has queued it';
  if (action === 'cancel') return next.queued === null ? null : 'it is cancelled';
  if (next.queued !== null && next.queued.id !== now.queued.id) return 'nobody has queued it';
  const isThere = next.queued !== null;
  const isDropped = isRequeue || isTakenBack(action, now, next) || isOvertaken(now.queued, next);
  const stays = !isDropped;
  if (isThere === stays) return null;
  return stays ? 'nothing has dropped it' : 'it is overtaken';
}

function troubleOfNew(now: NewRelease, { queued }: NewRelease): string | null {
  if (queued === null) return 'it is not there';
  if (queued.id === now.queued?.id) return 'the one before is still there';
  const floor = Math.max(now.stableVersion ?? 0, now.staged?.candidateVersion ?? 0);
  if (queued.targetVersion <= floor) return `its version is above ${floor}`;
  if (now.blockedVersions.includes(queued.targetVersion)) return 'its version is blocked';
  if (now.state === 'disabled') return 'the address is disabled';
  const isLater = queued.beginAt !== null || now.staged !== null;
  return isLater ? null : 'there is nothing to wait for';
}

function troubleOfBegun({ queued, staged }: NewRelease, next: NewRelease): string | null {
  if (queued === null) return 'nothing is queued';
  if (staged !== null) return 'a release is under way';
  if (next.queued !== null) return 'it is queued no more';
  const { id, strategy, targetVersion } = queued;
  if (strategy === null) {
    const isReached = next.staged === null && next.stableVersion === targetVersion;
    return isReached ? null : 'it reaches everybody at once';
  }
  const isIt = next.staged?.id === id && next.staged.candidateVersion === targetVersion;
  if (!isIt) return 'it is what was queued';
  const isSame = JSON.stringify(next.staged.stages) === JSON.stringify(strategy.stages);
  return isSame ? null : 'it has the stages that were queued';
}

/** What it was to be built on is taken back. */
function isTakenBack(action: string, now: NewRelease, next: NewRelease): boolean {
  switch (action) {
    case 'abort':
    case 'disable':
      return true;
    case 'rollback':
      return now.state !== 'disabled';
    case 'block':
      return now.staged !== null && next.staged === null;
    case 'promote': {
      if (now.staged === null) return false;
      const { candidateVersion } = now.staged;
      return next.staged !== null || (next.stableVersion ?? 0) < candidateVersion;
    }
    default:
      return false;
  }
}

function isOvertaken({ targetVersion }: Queued, next: NewRelease): boolean {
  const { stableVersion, staged, blockedVersions } = next;
  const isReached = targetVersion <= (stableVersion ?? 0);
  const isCandidate = staged !== null && targetVersion <= staged.candidateVersion;
  return isReached || isCandidate || blockedVersions.includes(targetVersion);
}
