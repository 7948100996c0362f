/**
 * Revisions count the transactions that changed something: an empty store is at revision 1, the
 * first write makes 2. They are safe integers here and 64 bits in records.
 */
export type Revision = number;

/** Any 64 bits with a sign but 0, which stands for no lease. */
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

/**
 * Holds for every key of the range. A range without keys compares as one key of zeros, and fails
 * every comparison of a value.
 */
export type Compare = KeyRange & { readonly operator: CompareOperator } & (
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
  /** Keeps the value that is there; `value` must be empty and the key be there. */
  readonly ignoreValue?: boolean;
  /** Keeps the lease that is there; `lease` must be 0 and the key be there. */
  readonly ignoreLease?: boolean;
  /** Asks for the version that was there. */
  readonly prevKv?: boolean;
}

export interface DeleteOperation extends KeyRange {
  readonly kind: 'delete';
  /** Asks for what was deleted. */
  readonly prevKv?: boolean;
}

export type SortOrder = 'none' | 'ascend' | 'descend';
export type SortTarget = 'key' | 'version' | 'create' | 'mod' | 'value';

export interface RangeOperation extends KeyRange {
  readonly kind: 'range';
  /** State to read: at this revision; 0 or left out for the newest. */
  readonly revision?: Revision;
  /** At most this many keys; 0 or left out for all. */
  readonly limit?: number;
  /** `none`: by key upwards. Equal ones are in the order of their keys. */
  readonly sortOrder?: SortOrder;
  readonly sortTarget?: SortTarget;
  /** Leaves out the values. */
  readonly keysOnly?: boolean;
  /** Leaves out everything but `count`. */
  readonly countOnly?: boolean;
  /** Bounds of what is told, 0 for none; `count` counts without them. */
  readonly minModRevision?: Revision;
  readonly maxModRevision?: Revision;
  readonly minCreateRevision?: Revision;
  readonly maxCreateRevision?: Revision;
}

export type RangeRequest = Omit<RangeOperation, 'kind'>;

export type Operation =
  PutOperation | DeleteOperation | RangeOperation | ({ readonly kind: 'txn' } & Txn);

/**
 * All comparisons hold: `success`, otherwise `failure`. Its writes, those of transactions inside it
 * too, share one revision; comparisons, also of transactions inside, see the state before it.
 */
export interface Txn {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure: readonly Operation[];
}

export interface RangeContent {
  readonly kvs: readonly KeyValue[];
  /** Whether the limit cut something off. */
  readonly more: boolean;
  /** Keys in the range, beyond the limit too. */
  readonly count: number;
}

/** `revision`: of the store as the operation left it, the one under way once something was written. */
export type OperationResult =
  | { readonly kind: 'put'; readonly revision: Revision; readonly previous: KeyValue | null }
  | {
      readonly kind: 'delete';
      readonly revision: Revision;
      readonly deleted: number;
      readonly previous: readonly KeyValue[];
    }
  | ({ readonly kind: 'range'; readonly revision: Revision } & RangeContent)
  | {
      readonly kind: 'txn';
      readonly succeeded: boolean;
      readonly results: readonly OperationResult[];
    };

/** `user`: through the public API, bound by its quota and alarms; left out or `own`: ours. */
export type Origin = 'own' | 'user';

/**
 * `nospace`: users' puts and grants are refused. `corrupt`: somebody says that members differ; all
 * that users write is refused, while Pawl's own commands, the end of leases that ran out and
 * compactions go on.
 */
export type AlarmKind = 'nospace' | 'corrupt';

export interface Alarm {
  /** Of the member that raised it; 0: the store itself, on all members. */
  readonly member: bigint;
  readonly alarm: AlarmKind;
}

/**
 * Makes a command be done once however often it is proposed: a retry bears the same `sequence`.
 * `answered`: the client needs no answer below this sequence any more; they are forgotten.
 */
export interface SessionCall {
  readonly id: bigint;
  readonly sequence: number;
  readonly answered: number;
}

/** What a member is to be; the leader makes the configuration follow. `removed`: nothing any more. */
export type MemberWish = 'voter' | 'learner' | 'removed';

/** A member of the quorum: where it is and what is wanted of it. */
export interface MemberRecord {
  /** The node id. */
  readonly id: string;
  /** Empty until it started. */
  readonly name: string;
  /** `host:port`. */
  readonly peerAddress: string;
  /** `host:port` each. */
  readonly clientAddresses: readonly string[];
  /** Of the data folder that it first started with, and must keep; empty until then. */
  readonly folderId: string;
  readonly wanted: MemberWish;
}

/** Sets what is given of a member's record. */
export interface MemberPut extends Partial<MemberRecord> {
  readonly kind: 'member-put';
  readonly id: string;
  /** `new`: refused when there is such a member; `known`: when there is none that stays. */
  readonly expect: 'new' | 'known';
}

export interface LeaseCheckpoint {
  readonly id: LeaseId;
  /** 0: its full time again. */
  readonly remainingMs: number;
}

export type CommandBody =
  | ({ readonly kind: 'txn'; readonly origin?: Origin } & Txn)
  /** `id` 0: an unused one is chosen, positive for users, negative for our own. */
  | {
      readonly kind: 'lease-grant';
      readonly id: LeaseId;
      readonly ttlMs: number;
      readonly origin?: Origin;
    }
  | { readonly kind: 'lease-revoke'; readonly id: LeaseId }
  /** Proposed by the leader of `term` for leases that ran out; void in any other term. */
  | { readonly kind: 'lease-expire'; readonly ids: readonly LeaseId[]; readonly term: number }
  /** Proposed by the leader of `term` so that the next knows what is left; void in any other. */
  | {
      readonly kind: 'lease-checkpoint';
      readonly leases: readonly LeaseCheckpoint[];
      readonly term: number;
    }
  | { readonly kind: 'compact'; readonly revision: Revision }
  /** `opener`: any number that says whose session it becomes. */
  | { readonly kind: 'session-open'; readonly opener: bigint }
  | { readonly kind: 'session-close'; readonly id: bigint }
  | ({ readonly kind: 'alarm'; readonly action: 'raise' | 'clear' } & Alarm)
  | MemberPut
  /** Forgets a member, once it takes no part any more. */
  | { readonly kind: 'member-remove'; readonly id: string }
  /** Forgets all members: one that was made the only one records itself anew. */
  | { readonly kind: 'member-reset' }
  /** Allows commands of a newer format; proposed when every member understands it. */
  | { readonly kind: 'upgrade'; readonly format: number };

export type Command = CommandBody & { readonly session?: SessionCall };

/** Why a command changed nothing. The order is that of their numbers in records: append only. */
export const REFUSALS = [
  'empty-key',
  'duplicate-key',
  'compacted',
  'future-revision',
  'lease-not-found',
  'lease-exists',
  'no-space',
  'too-many-operations',
  'too-large',
  'ttl-out-of-range',
  /** Value or lease are to be kept, and there is no such key. */
  'key-not-found',
  'value-provided',
  'lease-provided',
  'corrupt',
  /** The bytes are no command of the format that is in use. */
  'unknown-command',
  /** Ended, or never opened: whether an earlier attempt was done is not known. */
  'session-not-found',
  /** The client said that it has this answer, or the answer was too large to keep: it was done. */
  'answer-forgotten',
  /** Too many answers of this session are outstanding. */
  'session-full',
  /** There is none, or it is leaving. */
  'member-not-found',
  'member-exists',
  /** Another member has it. */
  'address-in-use',
  /** The member runs with another data folder: a node that lost its own must be removed first. */
  'other-folder',
  /** Nobody would vote any more. */
  'last-voter',
  /** Of members, or of alarms of members. */
  'too-many-members',
  /** More keys than one may have would go with a lease. */
  'lease-full',
] as const;
export type Refusal = (typeof REFUSALS)[number];

export type CommandResult =
  | {
      readonly kind: 'txn';
      readonly revision: Revision;
      readonly succeeded: boolean;
      readonly results: readonly OperationResult[];
    }
  | { readonly kind: 'lease'; readonly revision: Revision; readonly id: LeaseId }
  | { readonly kind: 'session'; readonly revision: Revision; readonly id: bigint }
  /** Done; of an end of leases, `ids` are those that ended. */
  | { readonly kind: 'done'; readonly revision: Revision; readonly ids: readonly LeaseId[] }
  | { readonly kind: 'refused'; readonly revision: Revision; readonly refusal: Refusal };

/** A change of one key. For a deletion `kv` has an empty value and version 0. */
export interface KeyEvent {
  readonly kind: 'put' | 'delete';
  readonly kv: KeyValue;
  /**
   * The key before this revision; null when it was not there, when this revision created it (again),
   * and when that was before the compaction revision.
   */
  readonly previous: KeyValue | null;
}

/** Everything that one revision changed, in the order of the operations. */
export interface RevisionEvents {
  readonly revision: Revision;
  readonly events: readonly KeyEvent[];
}

export interface Lease {
  readonly id: LeaseId;
  /** What it was granted for. */
  readonly ttlMs: number;
}

export interface LeaseState extends Lease {
  /** What a leader that begins to count gives it: the last checkpoint, or all of `ttlMs`. */
  readonly remainingMs: number;
}
