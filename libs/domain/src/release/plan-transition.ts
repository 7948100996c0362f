import { done, refused, RELEASE_ACTIONS } from '@pawl/contracts';
import type {
  AddressText,
  Outcome,
  PolicyVersion,
  ReleaseAction,
  ReleaseRequest,
} from '@pawl/contracts';
import { unreachable } from '@pawl/kernel';
import { changed, unchanged } from './changed-release.js';
import type { Transition } from './changed-release.js';
import { checkRequest, isReleaseAction } from './check-request.js';
import {
  cancelQueued,
  dropOvertaken,
  enqueue,
  isForLater,
  queuedInTheWay,
} from './queue-promote.js';
import type { Asked, QueuedRelease } from './queued-release.js';
import type { ReleaseState } from './release-state.js';
import { resolveStrategy } from './resolve-strategy.js';
import type { ResolvedStrategy } from './resolve-strategy.js';
import { begin, dropped, inFlight, planStaged } from './staged-transitions.js';

export interface TransitionInput {
  readonly state: ReleaseState;
  /** Newest definition version; 0: there is none. */
  readonly newestVersion: number;
  readonly request: ReleaseRequest;
  readonly address: AddressText;
  /** Of the release in stages that this may begin: unlike that of every other. */
  readonly releaseId: string;
  /** Of the strategy that the request carries, where it has a name of its own. */
  readonly strategyName?: string;
  /** Of the release policy that has it under that name. */
  readonly policyVersion?: PolicyVersion;
  /** Who asks, and when. */
  readonly asked: Asked;
  /** What was queued and begins now, by this promote of its version. */
  readonly begins?: QueuedRelease;
}

/**
 * What a release action makes of a state, or why it is refused: first the request itself
 * (`unknown-action`, `malformed-request`, `unknown-strategy`), then the release version that the
 * caller saw (`version-mismatch`), then the state. Whether documents satisfy their schemas is not
 * judged here; a forced rollback is marked `forced` for the caller to keep or clear.
 */
export function planTransition(input: TransitionInput): Outcome<Transition> {
  const { state, request, address } = input;
  const { action, expectedReleaseVersion } = request;
  if (!isReleaseAction(action)) {
    return refused('unknown-action', `the actions known are: ${RELEASE_ACTIONS.join(', ')}`);
  }
  const malformed = checkRequest(action, request);
  if (malformed !== undefined) return malformed;
  const { releaseVersion } = state;
  if (expectedReleaseVersion !== undefined && expectedReleaseVersion !== releaseVersion) {
    const detail =
      `${address} is at release version ${releaseVersion}, not ${expectedReleaseVersion}: ` +
      'read the release again and decide anew';
    return refused('version-mismatch', detail, { currentReleaseVersion: releaseVersion });
  }
  if (input.newestVersion === 0) {
    return refused('not-found', `${address} has no definition: write one first`);
  }
  const { targetVersion } = request;
  if (targetVersion !== undefined && targetVersion > input.newestVersion) {
    const detail = `${address} has versions 1 to ${input.newestVersion}, not ${targetVersion}`;
    return refused('version-unknown', detail, { currentVersion: input.newestVersion });
  }
  const outcome = apply(action, input, targetVersion ?? input.newestVersion);
  return outcome.ok ? done(dropOvertaken(state, outcome.value, request)) : outcome;
}

function apply(action: ReleaseAction, input: TransitionInput, target: number): Outcome<Transition> {
  switch (action) {
    case 'promote':
      return promote(input, target);
    case 'rollback':
      return rollback(input, input.request.targetVersion);
    case 'disable':
      return disable(input);
    case 'enable':
      return enable(input);
    case 'block':
      return block(input, target);
    case 'unblock':
      return unblock(input, target);
    case 'cancel':
      return cancelQueued(input);
    case 'advance':
    case 'skip':
    case 'pause':
    case 'resume':
    case 'abort':
    case 'hold':
    case 'approve':
      return planStaged(action, input);
    default:
      return unreachable(action);
  }
}

function promote(input: TransitionInput, target: number): Outcome<Transition> {
  const { state, request, address } = input;
  if (state.state === 'disabled') {
    return refused('invalid-transition', `${address} is disabled: enable it first, then promote`);
  }
  const strategy = strategyOf(input);
  if (!strategy.ok) return strategy;
  if (isForLater(state, request)) return enqueue(input, { target, strategy: strategy.value });
  const stable = state.stableVersion ?? 0;
  if (target === stable) return unchanged(state);
  if (target < stable) {
    const detail = `version ${target} is below the stable version ${stable}: use rollback to go back`;
    return refused('use-rollback', detail);
  }
  if (isBlocked(state, target)) return blocked(address, target);
  const inTheWay = queuedInTheWay(input, { target, strategy: strategy.value });
  if (inTheWay !== undefined) return inTheWay;
  if (strategy.value !== null) {
    const id = input.begins?.id ?? input.releaseId;
    return begin(input, { target, id, strategy: strategy.value });
  }
  const isMeant = request.strategy !== undefined || request.conflict === 'supersede';
  if (state.staged !== null && !isMeant) return inFlight(input, state.staged);
  return changed(state, {
    ...{ state: 'idle', stableVersion: target, staged: null },
    ...{ forced: false, contributes: true, lowers: target < candidateOf(state) },
  });
}

/** As what is queued has it, or as the request does, by the name that it has. */
function strategyOf({
  request,
  strategyName,
  policyVersion,
  begins,
}: TransitionInput): Outcome<ResolvedStrategy | null> {
  if (begins !== undefined) return done(begins.strategy);
  const resolved = resolveStrategy(request.strategy);
  if (!resolved.ok || resolved.value === null || strategyName === undefined) return resolved;
  const origin = policyVersion === undefined ? {} : { policyVersion };
  return done({ ...resolved.value, strategy: strategyName, ...origin });
}

/** Without a target it ends a release in stages, and stays at the stable version. */
function rollback(
  { state, request, address }: TransitionInput,
  asked: number | undefined,
): Outcome<Transition> {
  const { stableVersion } = state;
  if (stableVersion === null) {
    const detail = `${address} has no stable version: ${state.staged === null ? 'promote one' : 'abort the release'} first`;
    return refused('invalid-transition', detail);
  }
  const target = asked ?? (state.staged === null ? undefined : stableVersion);
  if (target === undefined) {
    const detail = `rollback of ${address} needs a targetVersion: no release in stages is under way`;
    return refused('malformed-request', detail);
  }
  if (target === stableVersion) return state.staged === null ? unchanged(state) : dropped(state);
  if (target > stableVersion) {
    const detail = `version ${target} is above the stable version ${stableVersion}: use promote`;
    return refused('use-promote', detail);
  }
  if (isBlocked(state, target)) return blocked(address, target);
  // A disabled layer is away already, and tells since when.
  const isThere = state.state !== 'disabled';
  return changed(state, {
    ...(isThere ? { state: 'idle' } : {}),
    staged: null,
    stableVersion: target,
    forced: request.force === true,
    contributes: isThere,
    lowers: isThere,
  });
}

function disable({ state, address }: TransitionInput): Outcome<Transition> {
  if (state.state === 'disabled') return unchanged(state);
  if (state.stableVersion === null) {
    const next = state.staged === null ? '' : ': abort the release under way';
    const detail = `${address} has nothing released to all that could be disabled${next}`;
    return refused('invalid-transition', detail);
  }
  return changed(state, { state: 'disabled', staged: null, contributes: true, lowers: true });
}

function enable({ state }: TransitionInput): Outcome<Transition> {
  if (state.state !== 'disabled') return unchanged(state);
  return changed(state, { state: 'idle', contributes: true });
}

/** A candidate that is blocked is dropped. */
function block({ state, address }: TransitionInput, target: number): Outcome<Transition> {
  if (isBlocked(state, target)) return unchanged(state);
  if (target === state.stableVersion) {
    const detail = `version ${target} is the stable version of ${address}: roll back first`;
    return refused('invalid-transition', detail);
  }
  const blockedVersions = [...state.blockedVersions, target].sort((a, b) => a - b);
  if (target !== candidateOf(state)) return changed(state, { blockedVersions });
  return changed(state, {
    ...{ blockedVersions, state: 'idle', staged: null },
    ...{ contributes: true, lowers: true },
  });
}

function unblock({ state }: TransitionInput, target: number): Outcome<Transition> {
  if (!isBlocked(state, target)) return unchanged(state);
  const blockedVersions = state.blockedVersions.filter((version) => version !== target);
  return changed(state, { blockedVersions });
}

/** The version that candidates run; 0: there are none. */
function candidateOf({ staged }: ReleaseState): number {
  return staged?.candidateVersion ?? 0;
}

function isBlocked(state: ReleaseState, version: number): boolean {
  return state.blockedVersions.includes(version);
}

function blocked(address: AddressText, version: number): Outcome<Transition> {
  const detail = `version ${version} of ${address} is blocked: unblock it or choose another`;
  return refused('version-blocked', detail);
}
