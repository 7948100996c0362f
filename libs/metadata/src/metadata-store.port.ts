import type {
  KeyRange,
  LeaseId,
  OperationResult,
  RangeContent,
  RangeOperation,
  Refusal,
  Revision,
  RevisionEvents,
  Txn,
} from './state/index.js';

/** The store looked at the request and changed nothing. */
export interface Refused {
  readonly ok: false;
  readonly refusal: Refusal;
  readonly revision: Revision;
}

export type TxnResult =
  | {
      readonly ok: true;
      readonly revision: Revision;
      /** Whether all comparisons held. */
      readonly succeeded: boolean;
      /** One per operation of the branch that was taken. */
      readonly results: readonly OperationResult[];
    }
  | Refused;

export type RangeRequest = Omit<RangeOperation, 'kind'>;
export type RangeResult =
  ({ readonly ok: true; readonly revision: Revision } & RangeContent) | Refused;

export type LeaseResult =
  { readonly ok: true; readonly id: LeaseId; readonly ttlMs: number } | Refused;

export interface WatchRequest extends KeyRange {
  /** First revision to tell of, one below 0 the first of all; 0 or left out: the next. */
  readonly fromRevision?: Revision;
}

/**
 * Changes to a range of keys, revision by revision: in order, each once, none left out, and all that
 * one revision changed in the range together. Read by one reader at a time. A reader that is slow
 * costs no memory: when what it has not read is compacted away, it ends with
 * {@link WatchCompactedError}; when the store goes away, with {@link MetadataUnavailableError}.
 */
export interface MetadataWatch extends AsyncIterable<RevisionEvents> {
  /** Ends the iteration. */
  close(): void;
}

export interface StoreStatus {
  readonly clusterId: string;
  /** Ids of the members of the quorum. */
  readonly members: readonly string[];
  /** Null while nobody leads. */
  readonly leader: string | null;
  readonly term: number;
  readonly revision: Revision;
  /** Oldest revision that can be read or watched from; 0 or 1: all can. */
  readonly compactRevision: Revision;
  readonly sizeBytes: number;
}

/**
 * What the parts of Pawl coordinate through: a key-value store with the semantics of etcd v3.
 * Everything answered is durable on a quorum, reads are linearizable. Where the store does not
 * answer, calls reject with {@link MetadataUnavailableError}.
 */
export interface MetadataStore {
  txn(txn: Txn): Promise<TxnResult>;
  range(request: RangeRequest): Promise<RangeResult>;
  watch(request: WatchRequest): MetadataWatch;
  /**
   * `id` 0 or left out: an unused one. The lease lives at least `ttlMs` after each renewal, on Pawl's own
   * quorum three quarters of that after the leader has changed.
   */
  grantLease(ttlMs: number, id?: LeaseId): Promise<LeaseResult>;
  /** Renews for its full time; refused with `lease-not-found` once it has ended. */
  keepAlive(id: LeaseId): Promise<LeaseResult>;
  /** Ends a lease; its keys are deleted in one revision. */
  revokeLease(id: LeaseId): Promise<{ readonly ok: true; readonly revision: Revision } | Refused>;
  /** Forgets states and events before `revision`, those at it stay. */
  compact(
    revision: Revision,
  ): Promise<{ readonly ok: true; readonly revision: Revision } | Refused>;
  status(): Promise<StoreStatus>;
}

/** The store did not answer. */
export class MetadataUnavailableError extends Error {
  override readonly name = 'MetadataUnavailableError';
  constructor(
    message: string,
    /** `no`: surely nothing was done; `unknown`: it may have been, or be done later. */
    readonly done: 'no' | 'unknown',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What a watch should have told next was compacted away: read the state, then watch anew. */
export class WatchCompactedError extends Error {
  override readonly name = 'WatchCompactedError';
  constructor(readonly compactRevision: Revision) {
    super(`the history before revision ${compactRevision} was compacted away`);
  }
}
