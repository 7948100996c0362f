import { done, refused, RELEASE_ACTIONS } from '@pawl/contracts';
import type { AddressText, Outcome, ReleaseAction, ReleaseRequest } from '@pawl/contracts';
import { unreachable } from '@pawl/kernel';
import { checkRequest, isReleaseAction } from './check-request.js';
import type { ReleaseState } from './release-state.js';

export interface TransitionInput {
  readonly state: ReleaseState;
  /** Newest definition version; 0: there is none. */
  readonly newestVersion: number;
  readonly request: ReleaseRequest;
  readonly address: AddressText;
}

/** `changed: false`: what was asked for is already so, and `next` is the state as it was. */
export interface Transition {
  readonly changed: boolean;
  readonly next: ReleaseState;
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
  return apply(action, input, targetVersion ?? input.newestVersion);
}

function apply(action: ReleaseAction, input: TransitionInput, target: number): Outcome<Transition> {
  switch (action) {
    case 'promote':
      return promote(input, target);
    case 'rollback':
      return rollback(input, target);
    case 'disable':
      return disable(input);
    case 'enable':
      return enable(input);
    case 'block':
      return block(input, target);
    case 'unblock':
      return unblock(input, target);
    case 'advance':
    case 'pause':
    case 'resume':
    case 'abort':
      return refused(
        'invalid-transition',
        `${action} needs a staged release in flight, and ${input.address} is ${input.state.state}: ` +
          'promote releases to all at once, rollback goes back',
      );
    default:
      return unreachable(action);
  }
}

function promote({ state, address }: TransitionInput, target: number): Outcome<Transition> {
  if (state.state === 'disabled') {
    return refused('invalid-transition', `${address} is disabled: enable it first, then promote`);
  }
  const stable = state.stableVersion ?? 0;
  if (target === stable) return unchanged(state);
  if (target < stable) {
    const detail = `version ${target} is below the stable version ${stable}: use rollback to go back`;
    return refused('use-rollback', detail);
  }
  if (isBlocked(state, target)) return blocked(address, target);
  return changed(state, { stableVersion: target, forced: false, contributes: true });
}

function rollback(
  { state, request, address }: TransitionInput,
  target: number,
): Outcome<Transition> {
  const { stableVersion } = state;
  if (stableVersion === null) {
    return refused('invalid-transition', `${address} has no stable version: promote one first`);
  }
  if (target === stableVersion) return unchanged(state);
  if (target > stableVersion) {
    const detail = `version ${target} is above the stable version ${stableVersion}: use promote`;
    return refused('use-promote', detail);
  }
  if (isBlocked(state, target)) return blocked(address, target);
  // A disabled layer is away already, and tells since when.
  const isThere = state.state !== 'disabled';
  return changed(state, {
    stableVersion: target,
    forced: request.force === true,
    contributes: isThere,
    lowers: isThere,
  });
}

function disable({ state, address }: TransitionInput): Outcome<Transition> {
  if (state.state === 'disabled') return unchanged(state);
  if (state.stableVersion === null) {
    return refused('invalid-transition', `${address} has nothing released that could be disabled`);
  }
  return changed(state, { state: 'disabled', contributes: true, lowers: true });
}

function enable({ state }: TransitionInput): Outcome<Transition> {
  if (state.state !== 'disabled') return unchanged(state);
  return changed(state, { state: 'idle', contributes: true });
}

function block({ state, address }: TransitionInput, target: number): Outcome<Transition> {
  if (isBlocked(state, target)) return unchanged(state);
  if (target === state.stableVersion) {
    const detail = `version ${target} is the stable version of ${address}: roll back first`;
    return refused('invalid-transition', detail);
  }
  const blockedVersions = [...state.blockedVersions, target].sort((a, b) => a - b);
  return changed(state, { blockedVersions });
}

function unblock({ state }: TransitionInput, target: number): Outcome<Transition> {
  if (!isBlocked(state, target)) return unchanged(state);
  const blockedVersions = state.blockedVersions.filter((version) => version !== target);
  return changed(state, { blockedVersions });
}

/** What a transition sets. `contributes`: what the layer contributes is another thing now. */
interface Change extends Partial<
  Pick<ReleaseState, 'state' | 'stableVersion' | 'forced' | 'blockedVersions'>
> {
  readonly contributes?: boolean;
  /** The layer goes to a lower version or away. */
  readonly lowers?: boolean;
}

function changed(state: ReleaseState, change: Change): Outcome<Transition> {
  const { contributes, lowers, ...set } = change;
  const releaseVersion = state.releaseVersion + 1;
  const next: ReleaseState = {
    ...state,
    ...set,
    releaseVersion,
    contributionAt: contributes === true ? releaseVersion : state.contributionAt,
    loweredAt: lowers === true ? releaseVersion : state.loweredAt,
  };
  return done({ changed: true, next });
}

function unchanged(state: ReleaseState): Outcome<Transition> {
  return done({ changed: false, next: state });
}

function isBlocked(state: ReleaseState, version: number): boolean {
  return state.blockedVersions.includes(version);
}

function blocked(address: AddressText, version: number): Outcome<Transition> {
  const detail = `version ${version} of ${address} is blocked: unblock it or choose another`;
  return refused('version-blocked', detail);
}
