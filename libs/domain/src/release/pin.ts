import type { AddressText } from '@pawl/contracts';

/**
 * That an address, and those below it but where another pin lies between, stays at a version of an
 * address above, whatever is released of that.
 */
export interface Pin {
  /** The address above: of the same document name, strictly above the one that has the pin. */
  readonly ancestor: AddressText;
  /** Definition version of the ancestor: at most what was released there when it was pinned. */
  readonly version: number;
  /** The ancestor's release version that was taken for it: above all that anybody had of it before. */
  readonly releaseVersion: number;
  /** The release in stages of the ancestor that reached the address until it was pinned; none when left out. */
  readonly during?: string;
  /** Wall time, RFC 3339, at which its owner ends it. */
  readonly until: string;
  /** Who asked for it last, and when: wall time, RFC 3339. */
  readonly by: string;
  readonly at: string;
  readonly reason: string;
}

/** A pin, and the address that has it. */
export interface PlacedPin {
  readonly pin: Pin;
  readonly at: AddressText;
}

/**
 * The pins that count on a way from the root down, by the address that they keep: of several that keep
 * one, the lowest.
 */
export function pinsOnWay<T>(
  way: readonly { readonly pins: ReadonlyMap<AddressText, T> }[],
): ReadonlyMap<AddressText, T> {
  const some = way.filter(({ pins }) => pins.size > 0);
  const [only] = some;
  if (only !== undefined && some.length === 1) return only.pins;
  return new Map(some.flatMap(({ pins }) => [...pins]));
}
