import type { LeaderResponse } from '../etcd-protocol/concurrency-messages.js';
import type * as rpc from '../etcd-protocol/messages.js';

/** What an answer takes before it is encoded. */
export interface AnswerSize {
  /** Never below what it has when it is encoded, but for some bytes of headers. */
  readonly bytes: number;
  /** Its request changed something, which a refusal must not hide. */
  readonly wrote: boolean;
}

/**
 * Counted for a key beside its bytes and those of its value: its numbers on the wire, and the time
 * that it takes to encode them, in bytes that could be copied meanwhile.
 */
const ENTRY_BYTES = 256;

export function rangeSize({ kvs = [] }: rpc.Written<rpc.RangeResponse>): AnswerSize {
  return { bytes: bytesOf(kvs), wrote: false };
}

export function leaderSize({ kv }: rpc.Written<LeaderResponse>): AnswerSize {
  return { bytes: kv ? bytesOf([kv]) : 0, wrote: false };
}

export function putSize({ prev_kv }: rpc.Written<rpc.PutResponse>): AnswerSize {
  return { bytes: prev_kv ? bytesOf([prev_kv]) : 0, wrote: true };
}

export function deleteSize({
  prev_kvs = [],
  deleted,
}: rpc.Written<rpc.DeleteRangeResponse>): AnswerSize {
  return { bytes: bytesOf(prev_kvs), wrote: Number(deleted) > 0 };
}

export function txnSize({ responses = [] }: rpc.Written<rpc.TxnResponse>): AnswerSize {
  let bytes = 0;
  let wrote = false;
  for (const response of responses) {
    const size = operationSize(response);
    bytes += ENTRY_BYTES + size.bytes;
    wrote ||= size.wrote;
  }
  return { bytes, wrote };
}

export function leaseTimeSize({ keys = [] }: rpc.Written<rpc.LeaseTimeToLiveResponse>): AnswerSize {
  let bytes = 0;
  for (const { length } of keys) bytes += ENTRY_BYTES + length;
  return { bytes, wrote: false };
}

export function leasesSize({ leases = [] }: rpc.Written<rpc.LeaseLeasesResponse>): AnswerSize {
  return { bytes: ENTRY_BYTES * leases.length, wrote: false };
}

function operationSize(response: rpc.Written<rpc.ResponseOp>): AnswerSize {
  const { response_range, response_put, response_delete_range, response_txn } = response;
  if (response_range) return rangeSize(response_range);
  if (response_put) return putSize(response_put);
  if (response_delete_range) return deleteSize(response_delete_range);
  return txnSize(response_txn ?? {});
}

function bytesOf(kvs: readonly rpc.Written<rpc.KeyValue>[]): number {
  let bytes = 0;
  for (const { key, value } of kvs)
    bytes += ENTRY_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  return bytes;
}
