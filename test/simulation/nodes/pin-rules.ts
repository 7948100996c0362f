import { canonicalize } from '@pawl/contracts';
import type { AddressText, JsonValue, SnapshotInput } from '@pawl/contracts';
import { layersFor, setsOf } from './cohort-rules.js';
import type { KeptHead, KeptTruth, NewRelease } from './kept-truth.js';
import { satisfies } from './small-validator.js';

export type Pin = NewRelease['pins'][number];

/** A layer of a place, and the pin of it that counts there with the address that has it. */
export interface PlacedLayer {
  readonly address: AddressText;
  readonly release: NewRelease;
  readonly kept: { readonly pin: Pin; readonly at: AddressText } | undefined;
}

/** The layers of a place from the root down, by a second rule: of several pins of a layer the lowest counts. */
export function layersAt(truth: KeptTruth, place: AddressText): PlacedLayer[] {
  const way = truth.path(place);
  const pins = way.flatMap(([at, release]) => release.pins.map((pin) => ({ pin, at })));
  return way.map(([address, release]) => {
    const kept = pins.findLast(({ pin }) => pin.ancestor === address);
    return { address, release, kept };
  });
}

/** What a snapshot of a place tells of its layers. */
export function inputsAt(truth: KeptTruth, place: AddressText): SnapshotInput[] {
  return layersAt(truth, place).flatMap(inputOf);
}

/** The releases in stages that reach a place. */
export function stagedAt(truth: KeptTruth, place: AddressText) {
  return layersAt(truth, place).flatMap(({ address, release: { staged }, kept }) =>
    staged === null || kept !== undefined ? [] : [{ address, release: staged }],
  );
}

function inputOf({ address, release, kept }: PlacedLayer): SnapshotInput[] {
  if (kept !== undefined) {
    const { pin, at } = kept;
    const { version: definitionVersion, releaseVersion } = pin;
    const told = { definitionVersion, releaseVersion, loweredAt: releaseVersion, pinnedAt: at };
    return [{ address, ...told }];
  }
  const { contributionAt, state, stableVersion, loweredAt, staged, forced } = release;
  if (contributionAt === 0) return [];
  const isThere = state !== 'disabled';
  return [
    {
      ...{ address, definitionVersion: isThere ? stableVersion : null },
      ...{ releaseVersion: contributionAt, loweredAt },
      ...(staged === null ? {} : { candidate: staged.candidateVersion }),
      ...(isThere && forced ? { forced: true as const } : {}),
    },
  ];
}

/** The pin that a transition made, or gave another end; undefined: none. */
export function pinMade(now: NewRelease, next: NewRelease): Pin | undefined {
  return next.pins.find((pin) => !now.pins.some((other) => isSame(pin, other)));
}

/** What an address has at another version, or has no more, after a transition. */
export function pinEnded(now: NewRelease, next: NewRelease): Pin | undefined {
  return now.pins.find((pin) => !next.pins.some((other) => nameOf(other) === nameOf(pin)));
}

/** Whether one pin in place of another goes up again, as the end of one does. */
export function isPinRaised(now: NewRelease, next: NewRelease): boolean {
  const [ended, made] = [pinEnded(now, next), pinMade(now, next)];
  return ended !== undefined && made !== undefined && made.version > ended.version;
}

/** No other pin was ever made with this number. */
export function nameOf({ ancestor, releaseVersion }: Pin): string {
  return `pin of ${ancestor} ${releaseVersion}`;
}

/**
 * Which layer falls without saying so where somebody holds one snapshot of a place and then gets the other,
 * in no cohort, or as the candidate that he was; undefined: none, so nobody refuses it.
 */
export function fallsUntold(
  held: Pick<KeptHead, 'inputs' | 'releases'>,
  next: Pick<KeptHead, 'inputs' | 'releases'>,
): string | undefined {
  for (const before of held.inputs) {
    const { address, candidate, releaseVersion } = before;
    const after = next.inputs.find((input) => input.address === address);
    if ((after?.loweredAt ?? 0) > releaseVersion) continue;
    const stable = after?.definitionVersion ?? 0;
    if (stable < (before.definitionVersion ?? 0)) return address;
    if (candidate === undefined) continue;
    const release = held.releases.find((one) => one.address === address);
    const goesOn = next.releases.some(({ id }) => id === release?.id);
    if ((goesOn ? (after?.candidate ?? 0) : stable) < candidate) return address;
  }
  return undefined;
}

/** Whether somebody at or below an address would read what a schema forbids if it had this pin no more. */
export function breaksWithout(truth: KeptTruth, address: AddressText, pin: Pin): boolean {
  const without = truth.copy();
  const now = without.release(address);
  const pins = now.pins.filter((one) => nameOf(one) !== nameOf(pin));
  without.of(address).releases.push({ op: '', next: { ...now, pins } });
  return without.addresses
    .filter((place) => isAtOrBelow(place, address))
    .some((place) => breaks(without, place));
}

function breaks(truth: KeptTruth, place: AddressText): boolean {
  const inputs = inputsAt(truth, place);
  const releases = stagedAt(truth, place).map(({ address, release: { id } }) => {
    return { id, address, salt: id, stages: [] };
  });
  return setsOf(releases).some((reached) => {
    const layers = layersFor(inputs, reached);
    const document = truth.effective(layers);
    if (document === null || document === undefined) return false;
    return layers.some(({ address, definitionVersion }) => {
      const at = (definitionVersion ?? 0) - 1;
      const schema = truth.of(address as AddressText).definitions[at]?.schema ?? null;
      return schema !== null && !satisfies(schema, document);
    });
  });
}

/** Whether a place is of the same document as an address, and there or below. */
export function isAtOrBelow(place: AddressText, address: AddressText): boolean {
  return place === address || (place.startsWith(`${address}/`) && !place.includes(':'));
}

/** Of two JSON values. */
export function isSame(one: unknown, other: unknown): boolean {
  return canonicalize(one as JsonValue) === canonicalize(other as JsonValue);
}
