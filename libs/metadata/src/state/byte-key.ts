import type { KeyRange } from './types.js';

/**
 * A key as a string with one character per byte, so that it can index a `Map` and compares in the
 * order of its bytes.
 */
export type ByteKey = string;

/** Characters made at once: far below what a call takes as arguments. */
const PIECE = 4096;

export function toByteKey(bytes: Uint8Array): ByteKey {
  if (bytes.length <= PIECE) return fromCodes(bytes);
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += fromCodes(bytes.subarray(at, at + PIECE));
  }
  return text;
}

/** One flat string of 8-bit characters; appending one by one would make a chain of pieces. */
function fromCodes(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

export function fromByteKey(key: ByteKey): Uint8Array {
  const bytes = new Uint8Array(key.length);
  for (let at = 0; at < key.length; at += 1) bytes[at] = key.charCodeAt(at);
  return bytes;
}

/** Keys from `from` up to but not including `until`; null: no upper bound. */
export interface Interval {
  readonly from: ByteKey;
  readonly until: ByteKey | null;
}

export function toInterval(range: KeyRange): Interval {
  const from = toByteKey(range.key);
  const { rangeEnd } = range;
  if (rangeEnd === undefined || rangeEnd.length === 0) return { from, until: `${from}\0` };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from, until: null };
  return { from, until: toByteKey(rangeEnd) };
}

export function isSingleKey({ rangeEnd }: KeyRange): boolean {
  return rangeEnd === undefined || rangeEnd.length === 0;
}

export function contains({ from, until }: Interval, key: ByteKey): boolean {
  return key >= from && (until === null || key < until);
}

/** The range of all keys that begin with `prefix`; of all keys at all when it is empty. */
export function prefixRange(prefix: Uint8Array): Required<KeyRange> {
  const everything = Uint8Array.of(0);
  if (prefix.length === 0) return { key: everything, rangeEnd: everything };
  const rangeEnd = Uint8Array.from(prefix);
  for (let at = rangeEnd.length - 1; at >= 0; at -= 1) {
    const byte = rangeEnd[at] ?? 0;
    if (byte < 0xff) {
      rangeEnd[at] = byte + 1;
      return { key: prefix, rangeEnd: rangeEnd.slice(0, at + 1) };
    }
  }
  return { key: prefix, rangeEnd: everything };
}

/** Negative, zero or positive, as `a` comes before, is, or comes after `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
