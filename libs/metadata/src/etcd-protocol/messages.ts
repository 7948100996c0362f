/**
 * The messages of etcd's v3 protocol (`etcdserverpb`, `mvccpb`) as `etcdServices` reads them, on
 * either side: every field is there. What may be written is {@link Written}.
 */

/** 64 bits in decimal. */
export type Int64 = `${bigint}`;

/**
 * A message to be sent: what is left out has its default, and 64-bit numbers may be safe integers
 * or any text in decimal.
 */
export type Written<Message> = Message extends Int64
  ? string | number
  : Message extends Uint8Array
    ? Uint8Array
    : Message extends readonly (infer Item)[]
      ? readonly Written<Item>[]
      : Message extends object
        ? { readonly [Field in keyof Message]?: Written<Message[Field]> }
        : Message;

export interface ResponseHeader {
  readonly cluster_id: Int64;
  readonly member_id: Int64;
  readonly revision: Int64;
  readonly raft_term: Int64;
}

/** What all answers have. In those inside a transaction the header has the revision alone. */
export interface Answer {
  readonly header: ResponseHeader | null;
}

/** A range without an end is one key. */
export interface RangeBounds {
  readonly key: Buffer;
  readonly range_end: Buffer;
}

export interface KeyValue {
  readonly key: Buffer;
  readonly create_revision: Int64;
  readonly mod_revision: Int64;
  readonly version: Int64;
  readonly value: Buffer;
  readonly lease: Int64;
}

export interface RangeRequest extends RangeBounds {
  readonly limit: Int64;
  readonly revision: Int64;
  readonly sort_order: number;
  readonly sort_target: number;
  readonly serializable: boolean;
  readonly keys_only: boolean;
  readonly count_only: boolean;
  readonly min_mod_revision: Int64;
  readonly max_mod_revision: Int64;
  readonly min_create_revision: Int64;
  readonly max_create_revision: Int64;
}

export interface RangeResponse extends Answer {
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: Int64;
}

export interface PutRequest {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly lease: Int64;
  readonly prev_kv: boolean;
  readonly ignore_value: boolean;
  readonly ignore_lease: boolean;
}

export interface PutResponse extends Answer {
  readonly prev_kv: KeyValue | null;
}

export interface DeleteRangeRequest extends RangeBounds {
  readonly prev_kv: boolean;
}

export interface DeleteRangeResponse extends Answer {
  readonly deleted: Int64;
  readonly prev_kvs: readonly KeyValue[];
}

/** One of them is there. */
export interface RequestOp {
  readonly request_range?: RangeRequest;
  readonly request_put?: PutRequest;
  readonly request_delete_range?: DeleteRangeRequest;
  readonly request_txn?: TxnRequest;
}

/** One of them is there. */
export interface ResponseOp {
  readonly response_range?: RangeResponse;
  readonly response_put?: PutResponse;
  readonly response_delete_range?: DeleteRangeResponse;
  readonly response_txn?: TxnResponse;
}

/** With one of the values at most, as `target` says. */
export interface Compare extends RangeBounds {
  readonly result: number;
  readonly target: number;
  readonly version?: Int64;
  readonly create_revision?: Int64;
  readonly mod_revision?: Int64;
  readonly value?: Buffer;
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
  readonly physical: boolean;
}

export interface WatchCreateRequest extends RangeBounds {
  readonly start_revision: Int64;
  readonly progress_notify: boolean;
  readonly filters: readonly number[];
  readonly prev_kv: boolean;
  readonly watch_id: Int64;
  readonly fragment: boolean;
}

/** One of them is there. */
export interface WatchRequest {
  readonly create_request?: WatchCreateRequest;
  readonly cancel_request?: { readonly watch_id: Int64 };
  readonly progress_request?: object;
}

export interface Event {
  /** 0: put, 1: delete. */
  readonly type: number;
  readonly kv: KeyValue;
  readonly prev_kv: KeyValue | null;
}

export interface WatchResponse extends Answer {
  readonly watch_id: Int64;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: Int64;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly Event[];
}

/** What many messages about a lease or a member have, and some have alone. */
export interface Id {
  readonly ID: Int64;
}

export interface LeaseGrantRequest extends Id {
  /** Seconds. */
  readonly TTL: Int64;
}

/** Of a grant or a renewal. Of a renewal, `TTL` 0: there is no such lease. */
export interface LeaseAnswer extends Answer, Id {
  /** Seconds. */
  readonly TTL: Int64;
}

export interface LeaseTimeToLiveRequest extends Id {
  readonly keys: boolean;
}

export interface LeaseTimeToLiveResponse extends LeaseAnswer {
  readonly grantedTTL: Int64;
  readonly keys: readonly Buffer[];
}

export interface LeaseLeasesResponse extends Answer {
  readonly leases: readonly Id[];
}

export interface Member extends Id {
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberAddRequest {
  readonly peerURLs: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberUpdateRequest extends Id {
  readonly peerURLs: readonly string[];
}

export interface MembersResponse extends Answer {
  readonly members: readonly Member[];
}

export interface MemberAddResponse extends MembersResponse {
  readonly member: Member;
}

export interface AlarmRequest {
  /** 0: get, 1: activate, 2: deactivate. */
  readonly action: number;
  readonly memberID: Int64;
  /** 0: any, 1: no space, 2: corrupt. */
  readonly alarm: number;
}

export interface AlarmResponse extends Answer {
  readonly alarms: readonly { readonly memberID: Int64; readonly alarm: number }[];
}

export interface StatusResponse extends Answer {
  readonly version: string;
  readonly dbSize: Int64;
  readonly leader: Int64;
  readonly raftIndex: Int64;
  readonly raftTerm: Int64;
  readonly raftAppliedIndex: Int64;
  readonly errors: readonly string[];
  readonly dbSizeInUse: Int64;
  readonly isLearner: boolean;
}

export interface HashResponse extends Answer {
  readonly hash: number;
}

export interface HashKvResponse extends HashResponse {
  readonly compact_revision: Int64;
}

export interface SnapshotResponse extends Answer {
  readonly remaining_bytes: Int64;
  readonly blob: Buffer;
}
