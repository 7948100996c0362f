import type { KeyEvent, KeyValue, OperationResult, RangeContent } from '../state/index.js';
import { NO_LEASE } from '../state/index.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { toUserKey } from './user-keys.js';

export function toKeyValue(kv: KeyValue): rpc.Written<rpc.KeyValue> {
  return {
    key: toUserKey(kv.key),
    create_revision: kv.createRevision,
    mod_revision: kv.modRevision,
    version: kv.version,
    value: kv.value,
    lease: kv.lease === NO_LEASE ? 0 : String(kv.lease),
  };
}

/** Of a deletion etcd tells the key and the revision. */
export function toEvent({ kind, kv, previous }: KeyEvent, prevKv: boolean): rpc.Written<rpc.Event> {
  const before = prevKv && previous !== null ? { prev_kv: toKeyValue(previous) } : {};
  if (kind === 'put') return { type: 0, kv: toKeyValue(kv), ...before };
  return { type: 1, kv: { key: toUserKey(kv.key), mod_revision: kv.modRevision }, ...before };
}

type ResultOf<Kind extends OperationResult['kind']> = Extract<OperationResult, { kind: Kind }>;

export function toRangeResponse(
  header: rpc.Written<rpc.ResponseHeader>,
  content: RangeContent,
): rpc.Written<rpc.RangeResponse> {
  const { kvs, more, count } = content;
  return { header, kvs: kvs.map(toKeyValue), more, count };
}

export function toPutResponse(
  header: rpc.Written<rpc.ResponseHeader>,
  result: ResultOf<'put'>,
): rpc.Written<rpc.PutResponse> {
  const { previous } = result;
  return previous === null ? { header } : { header, prev_kv: toKeyValue(previous) };
}

export function toDeleteResponse(
  header: rpc.Written<rpc.ResponseHeader>,
  { deleted, previous }: ResultOf<'delete'>,
): rpc.Written<rpc.DeleteRangeResponse> {
  return { header, deleted, prev_kvs: previous.map(toKeyValue) };
}

/** An answer inside a transaction: its header has the revision alone. */
export function toResponseOp(result: OperationResult): rpc.Written<rpc.ResponseOp> {
  switch (result.kind) {
    case 'range':
      return { response_range: toRangeResponse({ revision: result.revision }, result) };
    case 'put':
      return { response_put: toPutResponse({ revision: result.revision }, result) };
    case 'delete':
      return { response_delete_range: toDeleteResponse({ revision: result.revision }, result) };
    case 'txn': {
      const { succeeded, results } = result;
      return { response_txn: { header: {}, succeeded, responses: results.map(toResponseOp) } };
    }
  }
}
