import { status } from '@grpc/grpc-js';
import type {
  HistoryAnswer,
  HistoryCompare,
  HistoryKv,
  HistoryOperation,
  HistoryOutcome,
  HistoryRange,
  HistoryTxn,
} from '@pawl/metadata/testing/history';
import { isSurelyNotDone, type Reply } from './connection.js';
import type { WireDelete, WireHeader, WireKv, WirePut, WireRange, WireTxn } from './wire.js';

const OPERATORS = { '=': 'Equal', '!=': 'NotEqual', '<': 'Less', '>': 'Greater' } as const;
const TARGETS = {
  version: ['Version', 'version'],
  create: ['Create', 'create_revision'],
  mod: ['Mod', 'mod_revision'],
  value: ['Value', 'value'],
} as const;

/** One character per byte. */
export const toBytes = (text: string) => Buffer.from(text, 'latin1');
export const toText = (bytes: Buffer) => bytes.toString('latin1');

export function toWireRange({ key, rangeEnd }: HistoryRange) {
  return { key: toBytes(key), ...(rangeEnd !== undefined && { range_end: toBytes(rangeEnd) }) };
}

/** The request of an operation, for the call of its kind. */
export function toWire(operation: HistoryOperation): object {
  switch (operation.kind) {
    case 'put':
      return {
        key: toBytes(operation.key),
        value: toBytes(operation.value),
        lease: operation.lease ?? '0',
        prev_kv: operation.prevKv === true,
      };
    case 'delete':
      return { ...toWireRange(operation), prev_kv: operation.prevKv === true };
    case 'range':
      return {
        ...toWireRange(operation),
        revision: operation.revision ?? 0,
        limit: operation.limit ?? 0,
        // What comes without an order comes by key anyway.
        serializable: 'serializable' in operation && operation.serializable === true,
      };
    case 'txn':
      return toWireTxn(operation);
  }
}

function toWireTxn({ compare, success, failure }: HistoryTxn): object {
  return {
    compare: compare.map(toWireCompare),
    success: success.map(toWireOperation),
    failure: failure.map(toWireOperation),
  };
}

function toWireOperation(operation: HistoryOperation): object {
  const field = {
    put: 'request_put',
    delete: 'request_delete_range',
    range: 'request_range',
    txn: 'request_txn',
  }[operation.kind];
  return { [field]: toWire(operation) };
}

function toWireCompare(compare: HistoryCompare): object {
  const [target, field] = TARGETS[compare.target];
  const { value } = compare;
  return {
    ...toWireRange(compare),
    result: OPERATORS[compare.operator],
    target,
    [field]: typeof value === 'string' ? toBytes(value) : value,
  };
}

export function fromWireKv(kv: WireKv): HistoryKv {
  return {
    key: toText(kv.key),
    value: toText(kv.value),
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
    version: Number(kv.version),
    lease: kv.lease,
  };
}

/** The answer to an operation, in the form in which histories are checked. */
export function fromWire(operation: HistoryOperation, message: unknown): HistoryAnswer {
  switch (operation.kind) {
    case 'put': {
      const { prev_kv } = message as WirePut;
      if (operation.prevKv !== true) return { kind: 'put' };
      return { kind: 'put', previous: prev_kv === null ? null : fromWireKv(prev_kv) };
    }
    case 'delete': {
      const { deleted, prev_kvs } = message as WireDelete;
      const answer = { kind: 'delete' as const, deleted: Number(deleted) };
      return operation.prevKv === true ? { ...answer, previous: prev_kvs.map(fromWireKv) } : answer;
    }
    case 'range': {
      const { kvs, count, more } = message as WireRange;
      return { kind: 'range', kvs: kvs.map(fromWireKv), count: Number(count), more };
    }
    case 'txn':
      return fromWireTxn(operation, message as WireTxn);
  }
}

function fromWireTxn(txn: HistoryTxn, { succeeded, responses }: WireTxn): HistoryAnswer {
  const branch = succeeded ? txn.success : txn.failure;
  const results = branch.map((operation, at) => {
    const { response_put, response_range, response_delete_range, response_txn } =
      responses[at] ?? {};
    return fromWire(
      operation,
      response_put ?? response_range ?? response_delete_range ?? response_txn,
    );
  });
  return { kind: 'txn', succeeded, results };
}

/** What a call came to; `answer` is made of a message that came. */
export function toOutcome<T extends { readonly header?: WireHeader | null }>(
  reply: Reply<T>,
  answer: (message: T) => HistoryAnswer,
): HistoryOutcome {
  if (reply.ok) {
    const revision = Number(reply.message.header?.revision ?? 0);
    return { kind: 'ok', revision, answer: answer(reply.message) };
  }
  const { code, details } = reply;
  if (code === status.OUT_OF_RANGE) {
    return {
      kind: 'refused',
      refusal: /compacted/.test(details) ? 'compacted' : 'future-revision',
    };
  }
  if (code === status.NOT_FOUND) return { kind: 'refused', refusal: 'lease-not-found' };
  if (code === status.INVALID_ARGUMENT || code === status.FAILED_PRECONDITION) {
    return { kind: 'refused', refusal: 'other' };
  }
  return isSurelyNotDone(reply) ? { kind: 'failed' } : { kind: 'unknown' };
}
