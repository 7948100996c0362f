/** What the etcd v3 API carries, as the proto loader gives it: 64 bits as decimal strings. */
export interface WireKv {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly version: string;
  readonly lease: string;
}

export interface WireHeader {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly revision: string;
  readonly raft_term: string;
}

export interface WireRange {
  readonly header?: WireHeader | null;
  readonly kvs: readonly WireKv[];
  readonly more: boolean;
  readonly count: string;
}

export interface WirePut {
  readonly header?: WireHeader | null;
  readonly prev_kv: WireKv | null;
}

export interface WireDelete {
  readonly header?: WireHeader | null;
  readonly deleted: string;
  readonly prev_kvs: readonly WireKv[];
}

export interface WireTxn {
  readonly header?: WireHeader | null;
  readonly succeeded: boolean;
  readonly responses: readonly WireResponseOp[];
}

export interface WireResponseOp {
  readonly response_range?: WireRange;
  readonly response_put?: WirePut;
  readonly response_delete_range?: WireDelete;
  readonly response_txn?: WireTxn;
}

export interface WireEvent {
  readonly type: 'Put' | 'Delete';
  readonly kv: WireKv;
  readonly prev_kv: WireKv | null;
}

export interface WireWatchResponse {
  readonly header: WireHeader;
  readonly watch_id: string;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly WireEvent[];
}

export interface WireMember {
  readonly ID: string;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

export interface WireStatus {
  readonly header: WireHeader;
  readonly version: string;
  readonly leader: string;
  readonly raftIndex: string;
  readonly raftTerm: string;
  readonly isLearner: boolean;
}
