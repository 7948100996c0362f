import type {
  KeyEvent,
  KeyValue,
  OperationResult,
  RangeContent,
  Revision,
} from '../state/index.js';
import type { KeyPrefix } from './key-prefix.js';
import type * as rpc from '../etcd-protocol/messages.js';

export function revisionOf({ header }: rpc.Answer): Revision {
  return Number(header?.revision ?? 0);
}

export function decodeKeyValue(kv: rpc.KeyValue, prefix: KeyPrefix): KeyValue {
  return {
    key: prefix.strip(kv.key),
    value: kv.value,
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
    version: Number(kv.version),
    lease: BigInt(kv.lease),
  };
}

export function decodeRange(answer: rpc.RangeResponse, prefix: KeyPrefix): RangeContent {
  return {
    kvs: answer.kvs.map((kv) => decodeKeyValue(kv, prefix)),
    more: answer.more,
    count: Number(answer.count),
  };
}

export function decodeResult(answer: rpc.ResponseOp, prefix: KeyPrefix): OperationResult {
  const { response_range, response_put, response_delete_range, response_txn } = answer;
  if (response_put !== undefined) {
    const { prev_kv } = response_put;
    const previous = prev_kv === null ? null : decodeKeyValue(prev_kv, prefix);
    return { kind: 'put', revision: revisionOf(response_put), previous };
  }
  if (response_delete_range !== undefined) {
    return {
      kind: 'delete',
      revision: revisionOf(response_delete_range),
      deleted: Number(response_delete_range.deleted),
      previous: response_delete_range.prev_kvs.map((kv) => decodeKeyValue(kv, prefix)),
    };
  }
  if (response_range !== undefined) {
    const revision = revisionOf(response_range);
    return { kind: 'range', revision, ...decodeRange(response_range, prefix) };
  }
  if (response_txn !== undefined) {
    const results = response_txn.responses.map((item) => decodeResult(item, prefix));
    return { kind: 'txn', succeeded: response_txn.succeeded, results };
  }
  throw new TypeError('etcd answered an operation with nothing');
}

export function decodeEvent({ type, kv, prev_kv }: rpc.Event, prefix: KeyPrefix): KeyEvent {
  return {
    kind: type === 0 ? 'put' : 'delete',
    kv: decodeKeyValue(kv, prefix),
    previous: prev_kv === null ? null : decodeKeyValue(prev_kv, prefix),
  };
}
