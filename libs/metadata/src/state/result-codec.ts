import { Decoder, Encoder, pick } from './codec.js';
import { decodeLease } from './txn-codec.js';
import type { CommandResult, KeyValue, OperationResult } from './types.js';
import { REFUSALS } from './types.js';

/* The order of these is that of their numbers in records: append only. */
const KINDS = ['txn', 'lease', 'session', 'done', 'refused'] as const;
const RESULTS = ['put', 'delete', 'range', 'txn'] as const;

/** Used over and over, as that of commands: every member keeps an answer of every write. */
const OUT = new Encoder(4096);

/** An answer as it is kept in a session. */
export function encodeResult(result: CommandResult): Uint8Array {
  const out = OUT.reset().u8(KINDS.indexOf(result.kind)).u64(result.revision);
  switch (result.kind) {
    case 'txn':
      encodeResults(out.u8(result.succeeded ? 1 : 0), result.results);
      break;
    case 'lease':
    case 'session':
      out.i64(result.id);
      break;
    case 'done':
      out.list(result.ids, (id) => out.i64(id));
      break;
    case 'refused':
      out.u8(REFUSALS.indexOf(result.refusal));
  }
  return out.done();
}

/** Length of {@link encodeResult}, without the work. */
export function resultBytes(result: CommandResult): number {
  const head = 1 + 8;
  switch (result.kind) {
    case 'txn':
      return head + 1 + resultsBytes(result.results);
    case 'lease':
    case 'session':
      return head + 8;
    case 'done':
      return head + 4 + 8 * result.ids.length;
    case 'refused':
      return head + 1;
  }
}

function resultsBytes(results: readonly OperationResult[]): number {
  let bytes = 4;
  for (const result of results) {
    switch (result.kind) {
      case 'put':
        bytes += 1 + 8 + kvsBytes(result.previous === null ? [] : [result.previous]);
        break;
      case 'delete':
        bytes += 1 + 16 + kvsBytes(result.previous);
        break;
      case 'range':
        bytes += 1 + 17 + kvsBytes(result.kvs);
        break;
      case 'txn':
        bytes += 1 + 1 + resultsBytes(result.results);
    }
  }
  return bytes;
}

function kvsBytes(kvs: readonly KeyValue[]): number {
  let bytes = 4;
  for (const { key, value } of kvs) bytes += 4 + key.length + 4 * 8 + 4 + value.length;
  return bytes;
}

/** Throws a `RangeError` when the bytes are not one answer. */
export function decodeResult(bytes: Uint8Array): CommandResult {
  const from = new Decoder(bytes);
  const result = decodeBody(from);
  from.end();
  return result;
}

function decodeBody(from: Decoder): CommandResult {
  const kind = pick(KINDS, from.u8());
  const revision = from.u64();
  switch (kind) {
    case 'txn':
      return { kind, revision, succeeded: from.flags(1) === 1, results: decodeResults(from) };
    case 'lease':
    case 'session':
      return { kind, revision, id: from.i64() };
    case 'done':
      return { kind, revision, ids: from.list(() => from.i64()) };
    case 'refused':
      return { kind, revision, refusal: pick(REFUSALS, from.u8()) };
  }
}

function encodeResults(out: Encoder, results: readonly OperationResult[]): void {
  out.list(results, (result) => {
    out.u8(RESULTS.indexOf(result.kind));
    switch (result.kind) {
      case 'put':
        out.u64(result.revision);
        encodeKvs(out, result.previous === null ? [] : [result.previous]);
        return;
      case 'delete':
        out.u64(result.revision).u64(result.deleted);
        encodeKvs(out, result.previous);
        return;
      case 'range':
        out.u64(result.revision).u8(result.more ? 1 : 0);
        encodeKvs(out.u64(result.count), result.kvs);
        return;
      case 'txn':
        encodeResults(out.u8(result.succeeded ? 1 : 0), result.results);
    }
  });
}

function decodeResults(from: Decoder): OperationResult[] {
  return from.list((): OperationResult => {
    const kind = pick(RESULTS, from.u8());
    switch (kind) {
      case 'put':
        return { kind, revision: from.u64(), previous: decodeKvs(from)[0] ?? null };
      case 'delete':
        return { kind, revision: from.u64(), deleted: from.u64(), previous: decodeKvs(from) };
      case 'range': {
        const [revision, more, count] = [from.u64(), from.flags(1) === 1, from.u64()];
        return { kind, revision, more, count, kvs: decodeKvs(from) };
      }
      case 'txn':
        return { kind, succeeded: from.flags(1) === 1, results: decodeResults(from) };
    }
  });
}

function encodeKvs(out: Encoder, kvs: readonly KeyValue[]): void {
  out.list(kvs, (kv) => encodeKeyValue(out, kv));
}

function decodeKvs(from: Decoder): KeyValue[] {
  return from.list(() => decodeKeyValue(from));
}

export function encodeKeyValue(out: Encoder, kv: KeyValue): void {
  out.bytes(kv.key).u64(kv.createRevision).u64(kv.modRevision).u64(kv.version);
  out.i64(kv.lease).bytes(kv.value);
}

export function decodeKeyValue(from: Decoder): KeyValue {
  const key = from.bytes();
  const [createRevision, modRevision, version] = [from.u64(), from.u64(), from.u64()];
  const [lease, value] = [decodeLease(from), from.bytes()];
  return { key, value, createRevision, modRevision, version, lease };
}
