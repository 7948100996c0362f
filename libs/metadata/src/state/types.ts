/**
 * Revisions count the transactions that changed something: an empty store is at revision 1, the
 * first write makes 2. They are safe integers here and 64 bits in records.
 */
export type Revision = number;

/** 1 to 2^63 - 1; 0 stands for no lease. */
export type LeaseId = bigint;

export const NO_LEASE: LeaseId = 0n;

/** One version of a key. Handed out as it is kept: nobody changes its bytes. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Revision that created the key (again, after a deletion). */
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** 1 at creation, one more with every put. */
  readonly version: number;
  readonly lease: LeaseId;
}

/**
 * Which keys: without `rangeEnd` the key itself; with a single zero byte as `rangeEnd` all from
 * `key` on; otherwise those in `[key, rangeEnd)`. Keys are ordered by their bytes.
 */
export interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
}

export type CompareOperator = '=' | '!=' | '<' | '>';

/** A key that is not there compares as 0, and fails every comparison of its value. */
export type Compare = { readonly key: Uint8Array; readonly operator: CompareOperator } & (
  | { readonly target: 'version' | 'create' | 'mod'; readonly value: number }
  | { readonly target: 'lease'; readonly value: LeaseId }
  | { readonly target: 'value'; readonly value: Uint8Array }
);

export interface PutOperation {
  readonly kind: 'put';
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** The lease with which the key goes; 0 for none. */
  readonly lease: LeaseId;
}

export interface DeleteOperation extends KeyRange {
  readonly kind: 'delete';
}

export interface RangeOperation extends KeyRange {
  readonly kind: 'range';
  /** State to read: at this revision; 0 or left out for the newest. */
  readonly revision?: Revision;
  /** At most this many keys; 0 or left out for all. */
  readonly limit?: number;
}

export type Operation = PutOperation | DeleteOperation | RangeOperation;

/** All comparisons hold: `success`, otherwise `failure`. Its writes share one revision. */
export interface Txn {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure: readonly Operation[];
}

export interface RangeContent {
  readonly kvs: readonly KeyValue[];
  /** Keys in the range, beyond the limit too. */
  readonly count: number;
}

export type OperationResult =
  | { readonly kind: 'put'; readonly previous: KeyValue | null }
  | { readonly kind: 'delete'; readonly previous: readonly KeyValue[] }
  | ({ readonly kind: 'range' } & RangeContent);

export type Command =
  | ({ readonly kind: 'txn' } & Txn)
  /** `id` 0: an unused one is chosen. */
  | { readonly kind: 'lease-grant'; readonly id: LeaseId; readonly ttlMs: number }
  | { readonly kind: 'lease-revoke'; readonly id: LeaseId }
  /** Proposed by the leader of `term` for leases that ran out; void in any other term. */
  | { readonly kind: 'lease-expire'; readonly ids: readonly LeaseId[]; readonly term: number }
  | { readonly kind: 'compact'; readonly revision: Revision };

/** Why a command changed nothing. */
export type Refusal =
  | 'empty-key'
  | 'duplicate-key'
  | 'compacted'
  | 'future-revision'
  | 'lease-not-found'
  | 'lease-exists'
  | 'no-space'
  | 'too-many-operations'
  | 'too-large'
  | 'ttl-out-of-range';

export type CommandResult =
  | {
      readonly kind: 'txn';
      readonly revision: Revision;
      readonly succeeded: boolean;
      readonly results: readonly OperationResult[];
    }
  | { readonly kind: 'lease'; readonly revision: Revision; readonly id: LeaseId }
  /** A compaction was done, or an expiry: `ids` are the leases that ended. */
  | { readonly kind: 'done'; readonly revision: Revision; readonly ids: readonly LeaseId[] }
  | { readonly kind: 'refused'; readonly revision: Revision; readonly refusal: Refusal };

/** A change of one key. For a deletion `kv` has an empty value and version 0. */
export interface KeyEvent {
  readonly kind: 'put' | 'delete';
  readonly kv: KeyValue;
  /** The key before the change; null when it was not there, or before the compaction revision. */
  readonly previous: KeyValue | null;
}

/** Everything that one revision changed, in the order of the operations. */
export interface RevisionEvents {
  readonly revision: Revision;
  readonly events: readonly KeyEvent[];
}

export interface Lease {
  readonly id: LeaseId;
  readonly ttlMs: number;
}
