import type {
  Compare,
  DeleteOperation,
  Operation,
  PutOperation,
  RangeRequest,
  Txn,
} from '../state/index.js';
import {
  COMPARE_OPERATORS,
  COMPARE_TARGETS,
  SORT_ORDERS,
  SORT_TARGETS,
} from '../etcd-protocol/enums.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { refused } from './status-error.js';
import { toLeaseId, toStoredKey, toStoredRange } from './user-keys.js';

/** Numbers beyond those that a store can come to are as good as the last. */
export function toNumber(text: string): number {
  const number = Number(text);
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(number, Number.MAX_SAFE_INTEGER));
}

/**
 * Refuses what is wrong whatever the store holds, in the order in which etcd looks
 * (server/etcdserver/api/v3rpc/key.go). `most`: operations that are allowed.
 */
export function checkTxnRequest(txn: rpc.TxnRequest, most: number): void {
  const { compare, success, failure } = txn;
  const longest = Math.max(compare.length, success.length, failure.length);
  if (longest > most) throw refused('too-many-operations');
  for (const { key } of compare) checkKey(key);
  for (const operation of [...success, ...failure]) checkOperation(operation, most - longest);
}

function checkOperation(operation: rpc.RequestOp, most: number): void {
  const { request_range, request_put, request_delete_range, request_txn } = operation;
  if (request_range) checkRange(request_range);
  else if (request_put) checkPut(request_put);
  else if (request_delete_range) checkKey(request_delete_range.key);
  else if (request_txn) checkTxnRequest(request_txn, most);
  else throw refused('key-not-found');
}

function checkKey(key: Uint8Array): void {
  if (key.length === 0) throw refused('empty-key');
}

export function checkRange({ key, sort_order, sort_target }: rpc.RangeRequest): void {
  checkKey(key);
  if (SORT_ORDERS[sort_order] === undefined || SORT_TARGETS[sort_target] === undefined) {
    throw refused('bad-sort');
  }
}

export function checkPut({ key, value, lease, ...flags }: rpc.PutRequest): void {
  checkKey(key);
  if (flags.ignore_value && value.length > 0) throw refused('value-provided');
  if (flags.ignore_lease && lease !== '0') throw refused('lease-provided');
}

export function checkDelete({ key }: rpc.DeleteRangeRequest): void {
  checkKey(key);
}

/** A request that {@link checkTxnRequest} let through. */
export function toTxn({ compare, success, failure }: rpc.TxnRequest): Txn {
  return {
    compare: compare.map(toCompare),
    success: success.map(toOperation),
    failure: failure.map(toOperation),
  };
}

/** A transaction of this one operation. */
export function txnOf(operation: Operation): Txn {
  return { compare: [], success: [operation], failure: [] };
}

/** Whether a transaction that only reads may be answered from what this node has. */
export function isSerializable({ success, failure }: rpc.TxnRequest): boolean {
  return [...success, ...failure].every(({ request_range, request_txn }) =>
    request_txn ? isSerializable(request_txn) : request_range?.serializable === true,
  );
}

function toOperation(operation: rpc.RequestOp): Operation {
  const { request_range, request_put, request_delete_range, request_txn } = operation;
  if (request_range) return { kind: 'range', ...toRange(request_range, 'txn') };
  if (request_put) return toPut(request_put);
  if (request_delete_range) return toDelete(request_delete_range);
  if (request_txn) return { kind: 'txn', ...toTxn(request_txn) };
  throw refused('key-not-found');
}

export function toPut(request: rpc.PutRequest): PutOperation {
  const { key, value, lease, prev_kv, ignore_value, ignore_lease } = request;
  return {
    kind: 'put',
    key: toStoredKey(key),
    value,
    lease: toLeaseId(lease),
    ...(ignore_value ? { ignoreValue: true } : {}),
    ...(ignore_lease ? { ignoreLease: true } : {}),
    ...(prev_kv ? { prevKv: true } : {}),
  };
}

export function toDelete(request: rpc.DeleteRangeRequest): DeleteOperation {
  return {
    kind: 'delete',
    ...toStoredRange(request),
    ...(request.prev_kv ? { prevKv: true } : {}),
  };
}

/** `where`: alone, a revision below 1 is the newest; in a transaction only 0 is. */
export function toRange(request: rpc.RangeRequest, where: 'alone' | 'txn'): RangeRequest {
  const revision = toNumber(request.revision);
  return {
    revision: where === 'alone' ? Math.max(0, revision) : revision,
    limit: Math.max(0, toNumber(request.limit)),
    sortOrder: SORT_ORDERS[request.sort_order] ?? 'none',
    sortTarget: SORT_TARGETS[request.sort_target] ?? 'key',
    keysOnly: request.keys_only,
    countOnly: request.count_only,
    minModRevision: toNumber(request.min_mod_revision),
    maxModRevision: toNumber(request.max_mod_revision),
    minCreateRevision: toNumber(request.min_create_revision),
    maxCreateRevision: toNumber(request.max_create_revision),
    /* Last: Node 20 defines what stands behind a spread one by one, in microseconds each. */
    ...toStoredRange(request),
  };
}

/** What a comparison does not name, or names for another target, compares as nothing. */
function toCompare(compare: rpc.Compare): Compare {
  const [operator, target] = [COMPARE_OPERATORS[compare.result], COMPARE_TARGETS[compare.target]];
  if (operator === undefined || target === undefined) throw refused('bad-compare');
  const keys = { operator, ...toStoredRange(compare) };
  switch (target) {
    case 'version':
      return { target, value: toNumber(compare.version ?? '0'), ...keys };
    case 'create':
      return { target, value: toNumber(compare.create_revision ?? '0'), ...keys };
    case 'mod':
      return { target, value: toNumber(compare.mod_revision ?? '0'), ...keys };
    case 'value':
      return { target, value: compare.value ?? new Uint8Array(0), ...keys };
    case 'lease':
      return { target, value: BigInt(compare.lease ?? '0'), ...keys };
  }
}
