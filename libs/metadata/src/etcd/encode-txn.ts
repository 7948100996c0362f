import type {
  Compare,
  DeleteOperation,
  Operation,
  PutOperation,
  RangeRequest,
  Txn,
} from '../state/index.js';
import type { KeyPrefix } from './key-prefix.js';
import {
  COMPARE_OPERATORS,
  COMPARE_TARGETS,
  SORT_ORDERS,
  SORT_TARGETS,
} from '../etcd-protocol/enums.js';
import type * as rpc from '../etcd-protocol/messages.js';

export function encodeTxn(
  { compare, success, failure }: Txn,
  prefix: KeyPrefix,
): Required<rpc.Written<rpc.TxnRequest>> {
  return {
    compare: compare.map((item) => encodeCompare(item, prefix)),
    success: success.map((item) => encodeOperation(item, prefix)),
    failure: failure.map((item) => encodeOperation(item, prefix)),
  };
}

export function encodeRange(
  request: RangeRequest,
  prefix: KeyPrefix,
): rpc.Written<rpc.RangeRequest> {
  return {
    ...prefix.addRange(request),
    limit: `${request.limit ?? 0}`,
    revision: `${request.revision ?? 0}`,
    sort_order: SORT_ORDERS.indexOf(request.sortOrder ?? 'none'),
    sort_target: SORT_TARGETS.indexOf(request.sortTarget ?? 'key'),
    keys_only: request.keysOnly === true,
    count_only: request.countOnly === true,
    min_mod_revision: `${request.minModRevision ?? 0}`,
    max_mod_revision: `${request.maxModRevision ?? 0}`,
    min_create_revision: `${request.minCreateRevision ?? 0}`,
    max_create_revision: `${request.maxCreateRevision ?? 0}`,
  };
}

function encodeOperation(operation: Operation, prefix: KeyPrefix): rpc.Written<rpc.RequestOp> {
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

function encodePut(put: PutOperation, prefix: KeyPrefix): rpc.Written<rpc.PutRequest> {
  return {
    key: prefix.add(put.key),
    value: put.value,
    lease: `${put.lease}`,
    prev_kv: put.prevKv === true,
    ignore_value: put.ignoreValue === true,
    ignore_lease: put.ignoreLease === true,
  };
}

function encodeDelete(
  operation: DeleteOperation,
  prefix: KeyPrefix,
): rpc.Written<rpc.DeleteRangeRequest> {
  return { ...prefix.addRange(operation), prev_kv: operation.prevKv === true };
}

function encodeCompare(compare: Compare, prefix: KeyPrefix): rpc.Written<rpc.Compare> {
  const common = {
    ...prefix.addRange(compare),
    result: COMPARE_OPERATORS.indexOf(compare.operator),
    target: COMPARE_TARGETS.indexOf(compare.target),
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
