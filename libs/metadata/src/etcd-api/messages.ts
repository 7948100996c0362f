/**
 * The messages of etcd's v3 protocol as this server reads and writes them; the definitions are the
 * proto files of the `etcd3` package. 64-bit numbers are decimal strings where they are read, and
 * strings or safe integers where they are written.
 */
export type Int64 = string | number;

export interface ResponseHeader {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: number;
  readonly raft_term: number;
}

/** In responses inside a transaction only the revision is there, inside a nested one nothing. */
export type InnerHeader = Partial<ResponseHeader>;

export interface KeyValueMessage {
  readonly key: Uint8Array;
  readonly create_revision?: number;
  readonly mod_revision: number;
  readonly version?: number;
  readonly value?: Uint8Array;
  readonly lease?: Int64;
}

export interface RangeBounds {
  readonly key: Buffer;
  readonly range_end: Buffer;
}

export interface RangeRequestMessage extends RangeBounds {
  readonly limit: string;
  readonly revision: string;
  readonly sort_order: number;
  readonly sort_target: number;
  readonly serializable: boolean;
  readonly keys_only: boolean;
  readonly count_only: boolean;
  readonly min_mod_revision: string;
  readonly max_mod_revision: string;
  readonly min_create_revision: string;
  readonly max_create_revision: string;
}

export interface RangeResponseMessage {
  readonly header: InnerHeader;
  readonly kvs: readonly KeyValueMessage[];
  readonly more: boolean;
  readonly count: number;
}

export interface PutRequestMessage {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly lease: string;
  readonly prev_kv: boolean;
  readonly ignore_value: boolean;
  readonly ignore_lease: boolean;
}

export interface PutResponseMessage {
  readonly header: InnerHeader;
  readonly prev_kv?: KeyValueMessage;
}

export interface DeleteRangeRequestMessage extends RangeBounds {
  readonly prev_kv: boolean;
}

export interface DeleteRangeResponseMessage {
  readonly header: InnerHeader;
  readonly deleted: number;
  readonly prev_kvs: readonly KeyValueMessage[];
}

/** One of them is there. */
export interface RequestOpMessage {
  readonly request_range?: RangeRequestMessage;
  readonly request_put?: PutRequestMessage;
  readonly request_delete_range?: DeleteRangeRequestMessage;
  readonly request_txn?: TxnRequestMessage;
}

export type ResponseOpMessage =
  | { readonly response_range: RangeResponseMessage }
  | { readonly response_put: PutResponseMessage }
  | { readonly response_delete_range: DeleteRangeResponseMessage }
  | { readonly response_txn: TxnResponseMessage };

export interface CompareMessage extends RangeBounds {
  readonly result: number;
  readonly target: number;
  readonly version?: string;
  readonly create_revision?: string;
  readonly mod_revision?: string;
  readonly value?: Buffer;
  readonly lease?: string;
}

export interface TxnRequestMessage {
  readonly compare: readonly CompareMessage[];
  readonly success: readonly RequestOpMessage[];
  readonly failure: readonly RequestOpMessage[];
}

export interface TxnResponseMessage {
  readonly header: InnerHeader;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOpMessage[];
}

export interface CompactionRequestMessage {
  readonly revision: string;
  readonly physical: boolean;
}

/** What is answered where there is nothing to tell. */
export interface HeaderOnlyMessage {
  readonly header: ResponseHeader;
}

export interface WatchCreateRequestMessage extends RangeBounds {
  readonly start_revision: string;
  readonly progress_notify: boolean;
  readonly filters: readonly number[];
  readonly prev_kv: boolean;
  readonly watch_id: string;
  readonly fragment: boolean;
}

/** One of them is there. */
export interface WatchRequestMessage {
  readonly create_request?: WatchCreateRequestMessage;
  readonly cancel_request?: { readonly watch_id: string };
  readonly progress_request?: object;
}

export interface EventMessage {
  /** 0: put, 1: delete. */
  readonly type: number;
  readonly kv: KeyValueMessage;
  readonly prev_kv?: KeyValueMessage;
}

export interface WatchResponseMessage {
  readonly header: ResponseHeader;
  readonly watch_id?: Int64;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compact_revision?: number;
  readonly cancel_reason?: string;
  readonly fragment?: boolean;
  readonly events?: readonly EventMessage[];
}

export interface LeaseGrantRequestMessage {
  readonly TTL: string;
  readonly ID: string;
}

export interface LeaseGrantResponseMessage {
  readonly header: ResponseHeader;
  readonly ID: string;
  readonly TTL: number;
}

export interface IdMessage {
  readonly ID: string;
}

export interface LeaseKeepAliveResponseMessage {
  readonly header: ResponseHeader;
  readonly ID: string;
  readonly TTL: number;
}

export interface LeaseTimeToLiveRequestMessage {
  readonly ID: string;
  readonly keys: boolean;
}

export interface LeaseTimeToLiveResponseMessage {
  readonly header: ResponseHeader;
  readonly ID: string;
  readonly TTL: number;
  readonly grantedTTL: number;
  readonly keys: readonly Uint8Array[];
}

export interface LeaseLeasesResponseMessage {
  readonly header: ResponseHeader;
  readonly leases: readonly IdMessage[];
}

export interface MemberMessage {
  readonly ID: string;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberAddRequestMessage {
  readonly peerURLs: readonly string[];
  readonly isLearner: boolean;
}

export interface MembersResponseMessage {
  readonly header: ResponseHeader;
  readonly members: readonly MemberMessage[];
}

export interface MemberAddResponseMessage extends MembersResponseMessage {
  readonly member: MemberMessage;
}

export interface MemberUpdateRequestMessage {
  readonly ID: string;
  readonly peerURLs: readonly string[];
}

export interface AlarmRequestMessage {
  /** 0: get, 1: activate, 2: deactivate. */
  readonly action: number;
  readonly memberID: string;
  /** 0: any, 1: no space, 2: corrupt. */
  readonly alarm: number;
}

export interface AlarmResponseMessage {
  readonly header: ResponseHeader;
  readonly alarms: readonly { readonly memberID: string; readonly alarm: number }[];
}

export interface StatusResponseMessage {
  readonly header: ResponseHeader;
  readonly version: string;
  readonly dbSize: number;
  readonly leader: string;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly raftAppliedIndex: number;
  readonly errors: readonly string[];
  readonly dbSizeInUse: number;
  readonly isLearner: boolean;
}

export interface HashResponseMessage {
  readonly header: ResponseHeader;
  readonly hash: number;
}

export interface HashKvResponseMessage extends HashResponseMessage {
  readonly compact_revision: number;
}

export interface SnapshotResponseMessage {
  readonly header: ResponseHeader;
  readonly remaining_bytes: number;
  readonly blob: Uint8Array;
}
