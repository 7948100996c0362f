/**
 * Messages of etcd v3 (`etcdserverpb`, `mvccpb`) as `etcdServices` reads and writes them.
 * Where a request may leave a field out, its default is zero, empty or false.
 */

/** 64 bits in decimal. */
export type Int64 = string;

export interface ResponseHeader {
  readonly cluster_id: Int64;
  readonly member_id: Int64;
  readonly revision: Int64;
  readonly raft_term: Int64;
}

export interface Answer {
  readonly header: ResponseHeader | null;
}

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly create_revision: Int64;
  readonly mod_revision: Int64;
  readonly version: Int64;
  readonly lease: Int64;
}

export interface Event {
  /** 0: put, 1: delete. */
  readonly type: number;
  readonly kv: KeyValue;
  readonly prev_kv: KeyValue | null;
}

interface Range {
  readonly key: Uint8Array;
  readonly range_end?: Uint8Array;
}

export interface RangeRequest extends Range {
  readonly limit?: Int64;
  readonly revision?: Int64;
  readonly sort_order?: number;
  readonly sort_target?: number;
  readonly serializable?: boolean;
  readonly keys_only?: boolean;
  readonly count_only?: boolean;
  readonly min_mod_revision?: Int64;
  readonly max_mod_revision?: Int64;
  readonly min_create_revision?: Int64;
  readonly max_create_revision?: Int64;
}

export interface RangeResponse extends Answer {
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: Int64;
}

export interface PutRequest {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: Int64;
  readonly prev_kv?: boolean;
  readonly ignore_value?: boolean;
  readonly ignore_lease?: boolean;
}

export interface PutResponse extends Answer {
  readonly prev_kv: KeyValue | null;
}

export interface DeleteRangeRequest extends Range {
  readonly prev_kv?: boolean;
}

export interface DeleteRangeResponse extends Answer {
  readonly deleted: Int64;
  readonly prev_kvs: readonly KeyValue[];
}

export type RequestOp =
  | { readonly request_range: RangeRequest }
  | { readonly request_put: PutRequest }
  | { readonly request_delete_range: DeleteRangeRequest }
  | { readonly request_txn: TxnRequest };

/** One of them is there. */
export interface ResponseOp {
  readonly response_range?: RangeResponse;
  readonly response_put?: PutResponse;
  readonly response_delete_range?: DeleteRangeResponse;
  readonly response_txn?: TxnResponse;
}

/** With one of the values, as `target` says. */
export interface Compare extends Range {
  readonly result: number;
  readonly target: number;
  readonly version?: Int64;
  readonly create_revision?: Int64;
  readonly mod_revision?: Int64;
  readonly value?: Uint8Array;
  readonly lease?: Int64;
}

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse extends Answer {
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

export interface CompactionRequest {
  readonly revision: Int64;
  readonly physical?: boolean;
}

export interface WatchCreateRequest extends Range {
  readonly start_revision?: Int64;
  readonly prev_kv?: boolean;
  readonly progress_notify?: boolean;
  readonly watch_id?: Int64;
}

export type WatchRequest =
  | { readonly create_request: WatchCreateRequest }
  | { readonly cancel_request: { readonly watch_id: Int64 } };

export interface WatchResponse extends Answer {
  readonly watch_id: Int64;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: Int64;
  readonly cancel_reason: string;
  readonly events: readonly Event[];
}

export interface LeaseGrantRequest {
  readonly TTL: Int64;
  readonly ID: Int64;
}

/** Of a renewal, `TTL` 0: there is no such lease. */
export interface LeaseAnswer extends Answer {
  readonly ID: Int64;
  readonly TTL: Int64;
}

export interface LeaseId {
  readonly ID: Int64;
}

export interface StatusResponse extends Answer {
  readonly version: string;
  readonly dbSize: Int64;
  readonly leader: Int64;
  readonly raftTerm: Int64;
}

export interface MemberListResponse extends Answer {
  readonly members: readonly { readonly ID: Int64; readonly isLearner: boolean }[];
}
