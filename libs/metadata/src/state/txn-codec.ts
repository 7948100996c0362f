import type { Decoder, Encoder } from './codec.js';
import { pick } from './codec.js';
import type {
  Compare,
  CompareOperator,
  KeyRange,
  Operation,
  RangeOperation,
  SortOrder,
  SortTarget,
  Txn,
} from './types.js';
import { NO_LEASE } from './types.js';

/* The orders of all of these are those of their numbers in records: append only. */
const OPERATORS: readonly CompareOperator[] = ['=', '!=', '<', '>'];
const TARGETS = ['version', 'create', 'mod', 'lease', 'value'] as const;
const OPERATIONS = ['put', 'delete', 'range', 'txn'] as const;
const SORT_ORDERS: readonly SortOrder[] = ['none', 'ascend', 'descend'];
const SORT_TARGETS: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
const PUT_FLAGS = { prevKv: 1, ignoreValue: 2, ignoreLease: 4 };
const RANGE_FLAGS = { keysOnly: 1, countOnly: 2 };
const NO_BYTES = new Uint8Array(0);
/** Transactions inside transactions; more could not have an operation each. */
const DEEPEST = 128;

export function encodeTxn(out: Encoder, { compare, success, failure }: Txn): void {
  out.list(compare, (item) => encodeCompare(out, item));
  out.list(success, (item) => encodeOperation(out, item));
  out.list(failure, (item) => encodeOperation(out, item));
}

export function decodeTxn(from: Decoder, depth = 0): Txn {
  if (depth > DEEPEST) throw new RangeError('transactions inside transactions too deep');
  return {
    compare: from.list(() => decodeCompare(from)),
    success: from.list(() => decodeOperation(from, depth)),
    failure: from.list(() => decodeOperation(from, depth)),
  };
}

function encodeCompare(out: Encoder, compare: Compare): void {
  const { operator, target } = compare;
  encodeRange(out, compare);
  out.u8(OPERATORS.indexOf(operator)).u8(TARGETS.indexOf(target));
  if (compare.target === 'value') out.bytes(compare.value);
  else out.i64(BigInt(compare.value));
}

function decodeCompare(from: Decoder): Compare {
  const range = decodeRange(from);
  const operator = pick(OPERATORS, from.u8());
  const target = pick(TARGETS, from.u8());
  if (target === 'value') return { operator, target, value: from.bytes(), ...range };
  if (target === 'lease') return { operator, target, value: from.i64(), ...range };
  return { operator, target, value: decodeNumber(from), ...range };
}

/** No revision or version is beyond the safe integers: comparing with the nearest is the same. */
function decodeNumber(from: Decoder): number {
  const value = Number(from.i64());
  if (!Number.isSafeInteger(value)) throw new RangeError('not a safe integer');
  return value;
}

function encodeOperation(out: Encoder, operation: Operation): void {
  out.u8(OPERATIONS.indexOf(operation.kind));
  switch (operation.kind) {
    case 'put':
      out.bytes(operation.key).bytes(operation.value).i64(operation.lease);
      out.u8(flagsOf(operation, PUT_FLAGS));
      return;
    case 'delete':
      encodeRange(out, operation);
      out.u8(operation.prevKv === true ? 1 : 0);
      return;
    case 'range':
      encodeRangeOperation(out, operation);
      return;
    case 'txn':
      encodeTxn(out, operation);
  }
}

function decodeOperation(from: Decoder, depth: number): Operation {
  const kind = pick(OPERATIONS, from.u8());
  switch (kind) {
    case 'put': {
      const put = { kind, key: from.bytes(), value: from.bytes(), lease: decodeLease(from) };
      return { ...put, ...decodeFlags(from, PUT_FLAGS) };
    }
    case 'delete':
      return { kind, ...decodeRange(from), ...(from.flags(1) === 1 ? { prevKv: true } : {}) };
    case 'range':
      return { kind, ...decodeRangeOperation(from) };
    case 'txn':
      return { kind, ...decodeTxn(from, depth + 1) };
  }
}

function encodeRangeOperation(out: Encoder, operation: RangeOperation): void {
  encodeRange(out, operation);
  const { sortOrder = 'none', sortTarget = 'key' } = operation;
  out.u64(operation.revision ?? 0).u64(operation.limit ?? 0);
  out.u8(SORT_ORDERS.indexOf(sortOrder)).u8(SORT_TARGETS.indexOf(sortTarget));
  out.u8(flagsOf(operation, RANGE_FLAGS));
  out.u64(operation.minModRevision ?? 0).u64(operation.maxModRevision ?? 0);
  out.u64(operation.minCreateRevision ?? 0).u64(operation.maxCreateRevision ?? 0);
}

function decodeRangeOperation(from: Decoder): Omit<RangeOperation, 'kind'> {
  const range = decodeRange(from);
  const [revision, limit] = [from.u64(), from.u64()];
  const sortOrder = pick(SORT_ORDERS, from.u8());
  const sortTarget = pick(SORT_TARGETS, from.u8());
  const flags = decodeFlags(from, RANGE_FLAGS);
  const bounds = {
    minModRevision: from.u64(),
    maxModRevision: from.u64(),
    minCreateRevision: from.u64(),
    maxCreateRevision: from.u64(),
  };
  return Object.assign(bounds, { revision, limit, sortOrder, sortTarget }, range, flags);
}

/** No range end travels as an empty one, which means the same. */
function encodeRange(out: Encoder, { key, rangeEnd }: KeyRange): void {
  out.bytes(key).bytes(rangeEnd ?? NO_BYTES);
}

function decodeRange(from: Decoder): KeyRange {
  const [key, rangeEnd] = [from.bytes(), from.bytes()];
  return rangeEnd.length === 0 ? { key } : { key, rangeEnd };
}

/** The usual one is shared by all keys without a lease. */
export function decodeLease(from: Decoder): bigint {
  const lease = from.i64();
  return lease === NO_LEASE ? NO_LEASE : lease;
}

function flagsOf<Name extends string>(
  operation: { readonly [name in NoInfer<Name>]?: boolean },
  flags: Readonly<Record<Name, number>>,
): number {
  let set = 0;
  for (const name in flags) if (operation[name] === true) set |= flags[name];
  return set;
}

function decodeFlags<Name extends string>(
  from: Decoder,
  flags: Readonly<Record<Name, number>>,
): { [name in Name]?: true } {
  let all = 0;
  for (const name in flags) all |= flags[name];
  const set = from.flags(all);
  const found: { [name in Name]?: true } = {};
  for (const name in flags) if ((set & flags[name]) !== 0) found[name] = true;
  return found;
}
