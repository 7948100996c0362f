import type { Brand } from '@pawl/kernel';

/** `acme/prod/checkout` or `acme/prod/checkout:limits`; `:config` is always left out. */
export type AddressText = Brand<string, 'Address'>;

/** A parsed address: a scope of 1 to 8 segments and a document name. */
export interface Address {
  readonly text: AddressText;
  readonly segments: readonly string[];
  /** Segments joined by `/`. */
  readonly scope: string;
  /** The first segment: the unit of ownership. */
  readonly root: string;
  readonly document: string;
}

export const DEFAULT_DOCUMENT = 'config';
export const MAX_SEGMENTS = 8;
/** 8 segments of 63 characters, 7 slashes, a colon and a document name. */
export const MAX_ADDRESS_LENGTH = 8 * 63 + 7 + 1 + 63;

const SEGMENT = /^[a-z0-9][a-z0-9_-]{0,62}$/;

export type AddressResult =
  | { readonly ok: true; readonly address: Address }
  | { readonly ok: false; readonly message: string };

/** Parses an address by the grammar of a scope path and an optional document name. */
export function parseAddress(input: string): AddressResult {
  const refuse = (message: string): AddressResult => ({ ok: false, message });
  if (input.length > MAX_ADDRESS_LENGTH) {
    return refuse(`an address has at most ${MAX_ADDRESS_LENGTH} characters`);
  }
  const [scope = '', document = DEFAULT_DOCUMENT, ...rest] = input.split(':');
  if (rest.length > 0) return refuse('an address has at most one colon');
  const segments = scope.split('/');
  if (segments.length > MAX_SEGMENTS) {
    return refuse(`a scope has at most ${MAX_SEGMENTS} segments, this one has ${segments.length}`);
  }
  for (const part of [...segments, document]) {
    if (!SEGMENT.test(part)) {
      return refuse(
        `"${part}" is not a segment: 1 to 63 of a-z, 0-9, "_" and "-", starting with a letter or digit`,
      );
    }
  }
  return { ok: true, address: makeAddress(segments, document) };
}

/** Parses an address that is known to be well formed (a constant, or one that was parsed before). */
export function address(input: string): Address {
  const result = parseAddress(input);
  if (!result.ok)
    throw new TypeError(`not an address: ${JSON.stringify(input)}: ${result.message}`);
  return result.address;
}

/** The layers' addresses from the root down to and including `of`: same document name. */
export function layerAddresses(of: Address): Address[] {
  return of.segments.map((_, index) => makeAddress(of.segments.slice(0, index + 1), of.document));
}

/** Whether `below` is `above` itself or lies under it, in the same document name. */
export function isAtOrBelow(below: Address, above: Address): boolean {
  return (
    below.document === above.document &&
    (below.scope === above.scope || below.scope.startsWith(`${above.scope}/`))
  );
}

function makeAddress(segments: readonly string[], document: string): Address {
  const scope = segments.join('/');
  const text = (document === DEFAULT_DOCUMENT ? scope : `${scope}:${document}`) as AddressText;
  return { text, segments, scope, root: segments[0] ?? '', document };
}
