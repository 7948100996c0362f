import type {
  Compare,
  DeleteOperation,
  Operation,
  PutOperation,
  RangeRequest,
  Txn,
} from '../state/index.js';
import type { KeyPrefix } from './key-prefix.js';
import type * as rpc from './messages.js';

const RESULTS = { '=': 0, '>': 1, '<': 2, '!=': 3 } as const;
const TARGETS = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;
const SORT_ORDERS = { none: 0, ascend: 1, descend: 2 } as const;
const SORT_TARGETS = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const;

export function encodeTxn({ compare, success, failure }: Txn, prefix: KeyPrefix): rpc.TxnRequest {
  return {
    compare: compare.map((item) => encodeCompare(item, prefix)),
    success: success.map((item) => encodeOperation(item, prefix)),
    failure: failure.map((item) => encodeOperation(item, prefix)),
  };
}

export function encodeRange(request: RangeRequest, prefix: KeyPrefix): rpc.RangeRequest {
  return {
    ...prefix.addRange(request),
    limit: `${request.limit ?? 0}`,
    revision: `${request.revision ?? 0}`,
    sort_order: SORT_ORDERS[request.sortOrder ?? 'none'],
    sort_target: SORT_TARGETS[request.sortTarget ?? 'key'],
    keys_only: request.keysOnly === true,
    count_only: request.countOnly === true,
    min_mod_revision: `${request.minModRevision ?? 0}`,
    max_mod_revision: `${request.maxModRevision ?? 0}`,
    min_create_revision: `${request.minCreateRevision ?? 0}`,
    max_create_revision: `${request.maxCreateRevision ?? 0}`,
  };
}

function encodeOperation(operation: Operation, prefix: KeyPrefix): rpc.RequestOp {
  switch (operation.kind) {
    case 'range':
      return { request_range: encodeRange(operation, prefix) };
    case 'put':
      return { request_put: encodePut(operation, prefix) };
    case 'delete':
      return { request_delete_range: encodeDelete(operation, prefix) };
    case 'txn':
      return { request_txn: encodeTxn(operation, prefix) };
  }
}

function encodePut(put: PutOperation, prefix: KeyPrefix): rpc.PutRequest {
  return {
    key: prefix.add(put.key),
    value: put.value,
    lease: `${put.lease}`,
    prev_kv: put.prevKv === true,
    ignore_value: put.ignoreValue === true,
    ignore_lease: put.ignoreLease === true,
  };
}

function encodeDelete(operation: DeleteOperation, prefix: KeyPrefix): rpc.DeleteRangeRequest {
  return { ...prefix.addRange(operation), prev_kv: operation.prevKv === true };
}

function encodeCompare(compare: Compare, prefix: KeyPrefix): rpc.Compare {
  const common = {
    ...prefix.addRange(compare),
    result: RESULTS[compare.operator],
    target: TARGETS[compare.target],
  };
  switch (compare.target) {
    case 'version':
      return { ...common, version: `${compare.value}` };
    case 'create':
      return { ...common, create_revision: `${compare.value}` };
    case 'mod':
      return { ...common, mod_revision: `${compare.value}` };
    case 'lease':
      return { ...common, lease: `${compare.value}` };
    case 'value':
      return { ...common, value: compare.value };
  }
}
