import { done, refused } from '@pawl/contracts';
import type { AddressText, Outcome } from '@pawl/contracts';
import type { Pin } from './pin.js';
import type { Asked } from './queued-release.js';
import type { ReleaseState } from './release-state.js';

/** What is the same of a pin and of its end. */
export interface UnpinInput {
  /** Release state of the ancestor. */
  readonly above: ReleaseState;
  readonly address: AddressText;
  readonly state: ReleaseState;
  readonly expectedReleaseVersion?: number | undefined;
  readonly ancestor: AddressText;
}

export interface PinInput extends UnpinInput {
  /** The versions that pins of addresses between the two keep the ancestor at, the lowest address first. */
  readonly between: readonly number[];
  /** Without one: what the address has of the ancestor now. */
  readonly targetVersion?: number | undefined;
  readonly until: string;
  readonly reason: string;
  readonly asked: Pick<Asked, 'by' | 'at'>;
}

/** `changed: false`: what was asked for is already so. */
export interface PinTransition {
  readonly changed: boolean;
  readonly next: ReleaseState;
  /** The ancestor's next state; `null`: it stays as it is. */
  readonly above: ReleaseState | null;
  /** The pin that was made, or kept with another end; `null`: there is none any more. */
  readonly pin: Pin | null;
  /** The address has a higher version of the ancestor now. */
  readonly raises: boolean;
}

/**
 * Keeps an address, and those below it, at a version of an ancestor. The version is not above what the ancestor
 * has released, nor above what any pin between the two keeps: so whatever takes the pin's place when it ends
 * is not lower, or was lowered since. With another version the ancestor gets a release version that nobody
 * has held yet, by which the fall is told; with the same one only the end and the reason change.
 */
export function planPin(input: PinInput): Outcome<PinTransition> {
  const { state, ancestor, above, between, asked, until, reason } = input;
  const mismatch = checkVersion(input);
  if (mismatch !== undefined) return mismatch;
  const before = state.pins.find((pin) => pin.ancestor === ancestor);
  const current = before?.version ?? between[0] ?? above.stableVersion ?? 0;
  const version = input.targetVersion ?? current;
  const isSame = version === before?.version;
  const isThere = above.state !== 'disabled' && above.stableVersion !== null;
  if (!isSame && !isThere) {
    const is = above.state === 'disabled' ? 'is disabled' : 'has nothing released to all';
    return refused('invalid-transition', `${ancestor} ${is}: there is no version to stay at`);
  }
  const highest = Math.min(above.stableVersion ?? 0, ...between);
  if (!isSame && version > highest) return tooHigh(input, { version, highest });
  if (!isSame && above.blockedVersions.includes(version)) {
    const detail = `version ${version} of ${ancestor} is blocked: unblock it or choose another`;
    return refused('version-blocked', detail);
  }
  const told = { until, reason, by: asked.by, at: asked.at };
  if (isSame) {
    if (before.until === until && before.reason === reason) return done(unchanged(state, before));
    const pin = { ...before, ...told };
    return done({ changed: true, next: withPin(state, pin), above: null, pin, raises: false });
  }
  const releaseVersion = above.releaseVersion + 1;
  const during = reachedBy(input, before);
  const pin: Pin = { ancestor, version, releaseVersion, ...during, ...told };
  return done({
    changed: true,
    next: withPin(state, pin),
    above: { ...above, releaseVersion },
    pin,
    raises: version > current,
  });
}

/** The release in stages that may have candidates where the pin is made. */
function reachedBy({ above, between }: PinInput, before: Pin | undefined): Pick<Pin, 'during'> {
  const id = above.staged?.id;
  const isReached = before === undefined ? between.length === 0 : before.during === id;
  return id !== undefined && isReached ? { during: id } : {};
}

/**
 * Lets an address have the version of an ancestor that it has without this pin. It is refused while a
 * release goes on that had candidates there before: who has missed the pin could not be told that he is none
 * any more.
 */
export function planUnpin(input: UnpinInput): Outcome<PinTransition> {
  const { state, ancestor } = input;
  const mismatch = checkVersion(input);
  if (mismatch !== undefined) return mismatch;
  const pins = state.pins.filter((pin) => pin.ancestor !== ancestor);
  if (pins.length === state.pins.length) return done(unchanged(state, null));
  const late = interruptedRelease(input);
  if (late !== undefined) return refused('release-in-flight', late);
  const next = { ...state, releaseVersion: state.releaseVersion + 1, pins };
  return done({ changed: true, next, above: null, pin: null, raises: true });
}

function withPin(state: ReleaseState, pin: Pin): ReleaseState {
  const others = state.pins.filter(({ ancestor }) => ancestor !== pin.ancestor);
  const pins = [...others, pin].sort((a, b) => (a.ancestor < b.ancestor ? -1 : 1));
  return { ...state, releaseVersion: state.releaseVersion + 1, pins };
}

function unchanged(state: ReleaseState, pin: Pin | null): PinTransition {
  return { changed: false, next: state, above: null, pin, raises: false };
}

function checkVersion({
  address,
  state: { releaseVersion },
  expectedReleaseVersion: expected,
}: UnpinInput): Outcome<never> | undefined {
  if (expected === undefined || expected === releaseVersion) return undefined;
  const detail =
    `${address} is at release version ${releaseVersion}, not ${expected}: ` +
    'read the release again and decide anew';
  return refused('version-mismatch', detail, { currentReleaseVersion: releaseVersion });
}

function tooHigh(
  { address, ancestor, above, between }: PinInput,
  { version, highest }: { readonly version: number; readonly highest: number },
): Outcome<never> {
  const isBetween = between.includes(highest) && highest !== above.stableVersion;
  const why = isBetween
    ? `an address between the two stays at version ${highest}`
    : `version ${highest} is what is released there`;
  const detail =
    `${address} cannot stay at version ${version} of ${ancestor}: ${why}, ` +
    'and a pin goes no higher; choose that or a lower one, or promote first';
  return refused('use-promote', detail);
}

/** Why a pin cannot end yet: it was made in the middle of a release that goes on. `undefined`: it can. */
export function interruptedRelease({
  address,
  state,
  ancestor,
  above,
}: Pick<UnpinInput, 'address' | 'state' | 'ancestor' | 'above'>): string | undefined {
  const { staged } = above;
  const pin = state.pins.find((one) => one.ancestor === ancestor);
  if (staged === null || pin?.during !== staged.id) return undefined;
  return (
    `release ${staged.id} of version ${staged.candidateVersion} of ${ancestor}, in the middle of which ${address} ` +
    'was pinned, is under way: let it end or abort it first'
  );
}
