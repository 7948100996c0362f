import { Decoder, Encoder } from './codec.js';
import type { Command, Compare, CompareOperator, KeyRange, Operation, Txn } from './types.js';

/** Version of the layout of commands; another is refused. */
const COMMAND_FORMAT = 1;
const KINDS = ['txn', 'lease-grant', 'lease-revoke', 'lease-expire', 'compact'] as const;
const OPERATORS: readonly CompareOperator[] = ['=', '!=', '<', '>'];
const TARGETS = ['version', 'create', 'mod', 'lease', 'value'] as const;
const OPERATIONS = ['put', 'delete', 'range'] as const;

export function encodeCommand(command: Command): Uint8Array {
  const out = new Encoder().u8(COMMAND_FORMAT).u8(KINDS.indexOf(command.kind));
  switch (command.kind) {
    case 'txn':
      encodeTxn(out, command);
      break;
    case 'lease-grant':
      out.i64(command.id).u64(command.ttlMs);
      break;
    case 'lease-revoke':
      out.i64(command.id);
      break;
    case 'lease-expire':
      out.list(command.ids, (id) => out.i64(id)).u64(command.term);
      break;
    case 'compact':
      out.u64(command.revision);
  }
  return out.done();
}

/** Throws a `RangeError` when the bytes are not one command of this format. */
export function decodeCommand(bytes: Uint8Array): Command {
  const from = new Decoder(bytes);
  const format = from.u8();
  if (format !== COMMAND_FORMAT) throw new RangeError(`command format ${format} is not known`);
  const command = decodeBody(from);
  from.end();
  return command;
}

function decodeBody(from: Decoder): Command {
  const kind = pick(KINDS, from.u8());
  switch (kind) {
    case 'txn':
      return { kind, ...decodeTxn(from) };
    case 'lease-grant':
      return { kind, id: from.i64(), ttlMs: from.u64() };
    case 'lease-revoke':
      return { kind, id: from.i64() };
    case 'lease-expire':
      return { kind, ids: from.list(() => from.i64()), term: from.u64() };
    case 'compact':
      return { kind, revision: from.u64() };
  }
}

function encodeTxn(out: Encoder, { compare, success, failure }: Txn): void {
  out.list(compare, (item) => encodeCompare(out, item));
  out.list(success, (item) => encodeOperation(out, item));
  out.list(failure, (item) => encodeOperation(out, item));
}

function decodeTxn(from: Decoder): Txn {
  return {
    compare: from.list(() => decodeCompare(from)),
    success: from.list(() => decodeOperation(from)),
    failure: from.list(() => decodeOperation(from)),
  };
}

function encodeCompare(out: Encoder, compare: Compare): void {
  const { key, operator, target } = compare;
  out.bytes(key).u8(OPERATORS.indexOf(operator)).u8(TARGETS.indexOf(target));
  if (compare.target === 'value') out.bytes(compare.value);
  else out.i64(BigInt(compare.value));
}

function decodeCompare(from: Decoder): Compare {
  const key = from.bytes();
  const operator = pick(OPERATORS, from.u8());
  const target = pick(TARGETS, from.u8());
  if (target === 'value') return { key, operator, target, value: from.bytes() };
  if (target === 'lease') return { key, operator, target, value: from.i64() };
  return { key, operator, target, value: Number(from.i64()) };
}

function encodeOperation(out: Encoder, operation: Operation): void {
  out.u8(OPERATIONS.indexOf(operation.kind));
  switch (operation.kind) {
    case 'put':
      out.bytes(operation.key).bytes(operation.value).i64(operation.lease);
      return;
    case 'delete':
      encodeRange(out, operation);
      return;
    case 'range':
      encodeRange(out, operation);
      out.u64(operation.revision ?? 0).u64(operation.limit ?? 0);
  }
}

function decodeOperation(from: Decoder): Operation {
  const kind = pick(OPERATIONS, from.u8());
  switch (kind) {
    case 'put':
      return { kind, key: from.bytes(), value: from.bytes(), lease: from.i64() };
    case 'delete':
      return { kind, ...decodeRange(from) };
    case 'range':
      return { kind, ...decodeRange(from), revision: from.u64(), limit: from.u64() };
  }
}

/** No range end travels as an empty one, which means the same. */
function encodeRange(out: Encoder, { key, rangeEnd }: KeyRange): void {
  out.bytes(key).bytes(rangeEnd ?? new Uint8Array(0));
}

function decodeRange(from: Decoder): KeyRange {
  const [key, rangeEnd] = [from.bytes(), from.bytes()];
  return rangeEnd.length === 0 ? { key } : { key, rangeEnd };
}

function pick<T>(names: readonly T[], at: number): T {
  const name = names[at];
  if (name === undefined) throw new RangeError(`kind ${at} is not known`);
  return name;
}
