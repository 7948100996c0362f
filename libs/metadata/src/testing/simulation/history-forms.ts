import type {
  KeyValue,
  Operation,
  OperationResult,
  Refusal,
  RevisionEvents,
  Txn,
} from '../../state/index.js';
import { bytesToText, textToBytes } from '../../text.js';
import type {
  HistoryAnswer,
  HistoryCompare,
  HistoryEvent,
  HistoryKv,
  HistoryOperation,
  HistoryOutcome,
  HistoryRange,
  HistoryRevision,
  HistoryTxn,
} from '../history/index.js';

/** Requests of a history in the forms of the store, and its answers in those of a history. */
export function toRange({ key, rangeEnd }: HistoryRange): {
  key: Uint8Array;
  rangeEnd?: Uint8Array;
} {
  const start = { key: textToBytes(key) };
  return rangeEnd === undefined ? start : { ...start, rangeEnd: textToBytes(rangeEnd) };
}

export function toTxn({ compare, success, failure }: HistoryTxn): Txn {
  return {
    compare: compare.map(toCompare),
    success: success.map(toOperation),
    failure: failure.map(toOperation),
  };
}

function toCompare({ target, operator, value, ...range }: HistoryCompare): Txn['compare'][number] {
  const head = { ...toRange(range), operator };
  if (target === 'value') return { ...head, target, value: textToBytes(String(value)) };
  return { ...head, target, value: Number(value) };
}

function toOperation(operation: HistoryOperation): Operation {
  switch (operation.kind) {
    case 'put': {
      const { key, value, lease = '0', prevKv = false } = operation;
      const bytes = { key: textToBytes(key), value: textToBytes(value) };
      return { kind: 'put', ...bytes, lease: BigInt(lease), prevKv };
    }
    case 'delete':
      return { kind: 'delete', ...toRange(operation), prevKv: operation.prevKv ?? false };
    case 'range':
      return { kind: 'range', ...toRange(operation), limit: operation.limit ?? 0 };
    case 'txn':
      return { kind: 'txn', ...toTxn(operation) };
  }
}

export function toAnswer(operation: HistoryOperation, result: OperationResult): HistoryAnswer {
  if (operation.kind === 'put' && result.kind === 'put') {
    const { previous } = result;
    if (operation.prevKv !== true) return { kind: 'put' };
    return { kind: 'put', previous: previous === null ? null : toKv(previous) };
  }
  if (operation.kind === 'delete' && result.kind === 'delete') {
    const { deleted, previous } = result;
    if (operation.prevKv !== true) return { kind: 'delete', deleted };
    return { kind: 'delete', deleted, previous: previous.map(toKv) };
  }
  if (operation.kind === 'range' && result.kind === 'range') {
    const { kvs, count, more } = result;
    return { kind: 'range', kvs: kvs.map(toKv), count, more };
  }
  if (operation.kind === 'txn' && result.kind === 'txn') {
    return txnAnswer(operation, result.succeeded, result.results);
  }
  throw new Error(`${operation.kind} was answered with ${result.kind}`);
}

export function txnAnswer(
  txn: HistoryTxn,
  succeeded: boolean,
  results: readonly OperationResult[],
): HistoryAnswer {
  const branch = succeeded ? txn.success : txn.failure;
  if (branch.length !== results.length) throw new Error('one result for each operation');
  const answers = branch.map((one, at) => toAnswer(one, results[at] as OperationResult));
  return { kind: 'txn', succeeded, results: answers };
}

export function toKv({
  key,
  value,
  createRevision,
  modRevision,
  version,
  lease,
}: KeyValue): HistoryKv {
  const texts = { key: bytesToText(key), value: bytesToText(value), lease: String(lease) };
  return { ...texts, createRevision, modRevision, version };
}

export function toRevision({ revision, events }: RevisionEvents): HistoryRevision {
  return {
    revision,
    events: events.map(({ kind, kv }): HistoryEvent => ({ kind, kv: toKv(kv) })),
  };
}

export function toRefusal(refusal: Refusal): HistoryOutcome {
  const named = refusal === 'compacted' || refusal === 'future-revision';
  const told = named || refusal === 'lease-not-found';
  return { kind: 'refused', refusal: told ? refusal : 'other' };
}
