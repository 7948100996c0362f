import { compareBytes, prefixRange } from '../state/index.js';
import type { KeyRange } from '../state/index.js';

/** Keeps a store's keys below a prefix of a cluster that others use, too. Empty: all keys are its own. */
export class KeyPrefix {
  readonly #prefix: Uint8Array;
  /** First key after all of its own; a single zero byte: none is. */
  readonly #end: Uint8Array;

  constructor(prefix: Uint8Array) {
    this.#prefix = prefix;
    this.#end = prefixRange(prefix).rangeEnd;
  }

  /** As the cluster knows it. An empty key stays one, for the cluster to refuse. */
  add(key: Uint8Array): Uint8Array {
    return this.#prefix.length === 0 || key.length === 0 ? key : Buffer.concat([this.#prefix, key]);
  }

  addRange({ key, rangeEnd }: KeyRange): { key: Uint8Array; range_end?: Uint8Array } {
    if (rangeEnd === undefined || rangeEnd.length === 0) return { key: this.add(key) };
    const open = rangeEnd.length === 1 && rangeEnd[0] === 0;
    return { key: this.add(key), range_end: open ? this.#end : this.add(rangeEnd) };
  }

  strip(key: Uint8Array): Uint8Array {
    return key.subarray(this.#prefix.length);
  }
}

/** Whether no key is in it. */
export function isEmptyRange({ key, rangeEnd }: KeyRange): boolean {
  if (rangeEnd === undefined || rangeEnd.length === 0) return key.length === 0;
  const open = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return !open && compareBytes(key, rangeEnd) >= 0;
}
