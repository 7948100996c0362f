import type { KeyRange, RangeOperation } from './types.js';

/** A key in the model: everything as text and numbers. */
export interface Kv {
  key: string;
  value: string;
  create: number;
  mod: number;
  version: number;
  lease: number;
}
export type Keys = Record<string, Kv>;

/**
 * A range of a state, told as etcd tells it; how many keys must be found for that, and how many are
 * sorted.
 */
export function readNaively(
  state: Keys,
  op: Omit<RangeOperation, 'kind'>,
): { answer: { kvs: Kv[]; more: boolean; count: number }; looked: number; sorted: number } {
  const all = inOrder(state).filter(({ key }) => inRange(key, op));
  const count = all.length;
  if (op.countOnly === true) {
    return { answer: { kvs: [], more: false, count }, looked: 0, sorted: 0 };
  }
  const limit = op.limit || Infinity;
  const bound = (is: number, min = 0, max = 0): boolean => is >= min && (max === 0 || is <= max);
  const bounded = [
    op.minModRevision,
    op.maxModRevision,
    op.minCreateRevision,
    op.maxCreateRevision,
  ].some((one) => (one ?? 0) > 0);
  const cutFirst = !bounded && (op.sortOrder ?? 'none') === 'none';
  const told = (cutFirst ? all.slice(0, limit + 1) : all).filter(
    ({ mod, create }) =>
      bound(mod, op.minModRevision, op.maxModRevision) &&
      bound(create, op.minCreateRevision, op.maxCreateRevision),
  );
  const target = op.sortTarget ?? 'key';
  const sign = op.sortOrder === 'descend' ? -1 : 1;
  told.sort((a, b) => {
    if (a[target] !== b[target]) return a[target] < b[target] ? -sign : sign;
    return a.key < b.key ? -1 : 1;
  });
  const kvs = told.slice(0, limit);
  const stripped = op.keysOnly === true ? kvs.map((kv) => ({ ...kv, value: '' })) : kvs;
  return {
    answer: { kvs: stripped, more: told.length > kvs.length, count },
    looked: cutFirst ? limit + 1 : Infinity,
    sorted: told.length,
  };
}

export function endOf({ rangeEnd }: KeyRange): string {
  return rangeEnd === undefined ? '' : text(rangeEnd);
}

export function inOrder(keys: Keys): Kv[] {
  return Object.values(keys).sort((a, b) => (a.key < b.key ? -1 : 1));
}

export function inRange(key: string, range: KeyRange): boolean {
  if (range.rangeEnd === undefined) return key === text(range.key);
  const end = text(range.rangeEnd);
  return key >= text(range.key) && (end === '\0' || key < end);
}

export function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}
