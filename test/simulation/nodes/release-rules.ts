import { canonicalize } from '@pawl/contracts';
import { asksForApproval, heldOf } from './approval-rules.js';
import type { NewRelease } from './kept-truth.js';
import { pinEnded, pinMade } from './pin-rules.js';
import type { Pin } from './pin-rules.js';

type Staged = NonNullable<NewRelease['staged']>;
/** The stage of a release while everybody is asked. */
const IN_PREFLIGHT = -1;
/** What a transition must set; all else stays as it was. */
type Expected = Omit<Partial<NewRelease>, 'staged'> & { readonly staged?: Staged | null };

/** Whether an action may lead from one release state to the next, by a second set of rules. */
export function isAllowed(action: string, now: NewRelease, next: NewRelease): boolean {
  const expected = expectedAfter(action, now, next);
  if (expected === null) return false;
  // Whether it still is forced is for the schemas to say.
  const { releaseVersion, forced } = next;
  return isSame({ ...now, ...expected, releaseVersion, forced }, next);
}

/** What follows; null: the action is not allowed in that state. */
function expectedAfter(action: string, now: NewRelease, next: NewRelease): Expected | null {
  const { state, staged } = now;
  const { releaseVersion: at } = next;
  switch (action) {
    case 'promote':
      return promoted(now, next);
    case 'rollback':
      return rolledBack(now, next);
    case 'disable':
      if (state === 'disabled') return null;
      return { state: 'disabled', staged: null, contributionAt: at, loweredAt: at };
    case 'enable':
      return state === 'disabled' ? { state: 'idle', contributionAt: at } : null;
    case 'block':
    case 'unblock':
      return blocked(action, now, next);
    case 'queue':
    case 'schedule':
      return {};
    case 'cancel':
      return now.queued === null ? null : {};
    case 'pin':
    case 'unpin':
      return pinned(action, now, next);
    default:
      return staged === null ? null : ofStaged(action, { now, next, staged });
  }
}

function promoted(now: NewRelease, next: NewRelease): Expected | null {
  const { state, staged, stableVersion } = now;
  const { releaseVersion: at } = next;
  if (state === 'disabled') return null;
  const to = next.staged?.candidateVersion ?? next.stableVersion ?? 0;
  if (to <= (stableVersion ?? 0) || now.blockedVersions.includes(to)) return null;
  if (next.staged !== null) {
    const first = next.staged.preflight === undefined ? 0 : IN_PREFLIGHT;
    const isFresh = next.staged.stage === first && isNew(next.staged);
    if (!isFresh || next.staged.id === staged?.id) return null;
    // One that is superseded goes away first.
    const lowered = staged === null ? {} : { loweredAt: at };
    return { state: 'rolling', staged: next.staged, contributionAt: at, ...lowered };
  }
  const falls = to < (staged?.candidateVersion ?? 0);
  return {
    ...{ state: 'idle', stableVersion: to, staged: null, contributionAt: at },
    ...(falls ? { loweredAt: at } : {}),
  };
}

/** One pin is made, or ends. The ancestor has the same pins as before, and another release version. */
function pinned(action: 'pin' | 'unpin', now: NewRelease, next: NewRelease): Expected | null {
  const [made, ended] = [pinMade(now, next), pinEnded(now, next)];
  const one = action === 'pin' ? made : ended;
  if (one === undefined) return action === 'pin' ? {} : null;
  const others = now.pins.filter(({ ancestor }) => ancestor !== one.ancestor);
  const pins = next.pins.filter((pin) => action === 'pin' && pin === one);
  const order = (pin: Pin, other: Pin): number => (pin.ancestor < other.ancestor ? -1 : 1);
  return { pins: [...others, ...pins].sort(order) };
}

function isNew({ pausedFor, held: before, approved }: Staged): boolean {
  return pausedFor === null && before === undefined && approved === undefined;
}

function rolledBack(now: NewRelease, next: NewRelease): Expected | null {
  const [from, to] = [now.stableVersion ?? 0, next.stableVersion ?? 0];
  const { releaseVersion: at } = next;
  if (to === from && now.staged !== null) return dropped(at);
  if (to >= from || to === 0 || now.blockedVersions.includes(to)) return null;
  const stableVersion = to;
  if (now.state === 'disabled') return { stableVersion };
  return { ...dropped(at), stableVersion };
}

function blocked(action: 'block' | 'unblock', now: NewRelease, next: NewRelease): Expected | null {
  const { blockedVersions, releaseVersion: at } = next;
  const [more, less] = action === 'block' ? [next, now] : [now, next];
  const changed = more.blockedVersions.filter((one) => !less.blockedVersions.includes(one));
  const isOne = more.blockedVersions.length === less.blockedVersions.length + 1;
  const isStable = changed[0] === now.stableVersion;
  if (changed.length !== 1 || !isOne || (isStable && action === 'block')) return null;
  const drops = action === 'block' && changed[0] === now.staged?.candidateVersion;
  return { blockedVersions, ...(drops ? dropped(at) : {}) };
}

function ofStaged(
  action: string,
  of: { readonly now: NewRelease; readonly next: NewRelease; readonly staged: Staged },
): Expected | null {
  const { now, next, staged } = of;
  const at = next.releaseVersion;
  const last = staged.stages.length - 1;
  const isRolling = now.state === 'rolling';
  switch (action) {
    case 'advance':
      if (!isRolling) return null;
      if (staged.stage < last) return { staged: { ...staged, stage: staged.stage + 1 } };
      return {
        ...{ state: 'idle', stableVersion: staged.candidateVersion, staged: null },
        contributionAt: at,
      };
    case 'skip':
      return isRolling && staged.stage < last ? { staged: { ...staged, stage: last } } : null;
    case 'pause':
      return isRolling ? { state: 'paused', staged } : null;
    case 'resume':
      return resumed(now, staged, at);
    case 'hold':
      return held(staged, next);
    case 'approve':
      if (!asksForApproval(staged) || staged.approved === staged.stage) return null;
      return { staged: { ...staged, approved: staged.stage } };
    case 'abort':
      return dropped(at);
    default:
      return null;
  }
}

/** Who is held is tried again. */
function resumed({ state }: NewRelease, staged: Staged, at: number): Expected | null {
  const { held: before, ...others } = staged;
  if (state === 'rolling' && before === undefined) return null;
  const contributes = before === undefined ? {} : { contributionAt: at };
  return { state: 'rolling', staged: { ...others, pausedFor: null }, ...contributes };
}

/** More are held than before, and they are told that they may go down. */
function held(staged: Staged, { releaseVersion: at, staged: after }: NewRelease): Expected | null {
  const [before, now] = [heldOf(staged), heldOf(after ?? {})];
  if (now.length <= before.length || !before.every((one) => now.includes(one))) return null;
  return { staged: { ...staged, held: after?.held ?? {} }, contributionAt: at, loweredAt: at };
}

/** The candidate is away, and those who ran it are told that they may go down. */
function dropped(at: number): Expected {
  return { state: 'idle', staged: null, contributionAt: at, loweredAt: at };
}

/** Why, and since when, a release is paused is not judged, and what is queued by rules of its own. */
function isSame(one: NewRelease, other: NewRelease): boolean {
  return text(one) === text(other);
}

function text({ staged, queued: _, pins, ...rest }: NewRelease): string {
  const { pausedFor: __, pausedAt: ___, ...held } = staged ?? { pausedFor: null };
  const kept = pins.map((pin) => ({ ...pin }));
  return canonicalize({ ...rest, pins: kept, staged: staged === null ? null : held });
}
