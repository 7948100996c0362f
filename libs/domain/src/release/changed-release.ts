import { done } from '@pawl/contracts';
import type { Outcome } from '@pawl/contracts';
import type { ReleaseState } from './release-state.js';

/** `changed: false`: what was asked for is already so, and `next` is the state as it was. */
export interface Transition {
  readonly changed: boolean;
  readonly next: ReleaseState;
}

/** What a transition sets. */
export interface Change extends Partial<
  Pick<ReleaseState, 'state' | 'stableVersion' | 'forced' | 'blockedVersions' | 'staged' | 'queued'>
> {
  /** What the layer contributes is another thing now, to somebody at least. */
  readonly contributes?: boolean;
  /** The layer goes to a lower version or away, for somebody at least. */
  readonly lowers?: boolean;
}

/** The state that follows, at the next release version. */
export function changed(state: ReleaseState, change: Change): Outcome<Transition> {
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

export function unchanged(state: ReleaseState): Outcome<Transition> {
  return done({ changed: false, next: state });
}
