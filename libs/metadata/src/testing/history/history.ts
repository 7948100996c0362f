/**
 * What clients of a store did and saw, in a form that prints as JSON and that checkers judge
 * afterwards. Keys and values are text; of bytes, one character each.
 */

/** One version of a key; a deletion has an empty value and version 0. */
export interface HistoryKv {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** Decimal; `0`: none. */
  readonly lease: string;
}

/** As in etcd: no `rangeEnd`: the key alone; a zero character: all from `key` on. */
export interface HistoryRange {
  readonly key: string;
  readonly rangeEnd?: string;
}

export type HistoryCompare = HistoryRange & {
  readonly target: 'version' | 'create' | 'mod' | 'value';
  readonly operator: '=' | '!=' | '<' | '>';
  readonly value: number | string;
};

export type HistoryOperation =
  | {
      readonly kind: 'put';
      readonly key: string;
      /** Different from every other value of the history, so that it tells who wrote it. */
      readonly value: string;
      readonly lease?: string;
      readonly prevKv?: boolean;
    }
  | ({ readonly kind: 'delete'; readonly prevKv?: boolean } & HistoryRange)
  /** Of the newest state, or of that at `revision` (not inside a transaction). */
  | ({ readonly kind: 'range'; readonly revision?: number; readonly limit?: number } & HistoryRange)
  | ({ readonly kind: 'txn' } & HistoryTxn);

export interface HistoryTxn {
  readonly compare: readonly HistoryCompare[];
  readonly success: readonly HistoryOperation[];
  readonly failure: readonly HistoryOperation[];
}

export type HistoryRequest =
  | (HistoryOperation & {
      /** Answered by what one node has applied: may be old. Of reads only. */
      readonly serializable?: boolean;
    })
  | { readonly kind: 'compact'; readonly revision: number }
  | { readonly kind: 'lease-revoke'; readonly lease: string };

export type HistoryAnswer =
  | { readonly kind: 'put'; readonly previous?: HistoryKv | null }
  | { readonly kind: 'delete'; readonly deleted: number; readonly previous?: readonly HistoryKv[] }
  | {
      readonly kind: 'range';
      readonly kvs: readonly HistoryKv[];
      readonly count: number;
      readonly more: boolean;
    }
  | {
      readonly kind: 'txn';
      readonly succeeded: boolean;
      readonly results: readonly HistoryAnswer[];
    }
  | { readonly kind: 'done' };

export type HistoryOutcome =
  /** `revision`: of the answer's header. */
  | { readonly kind: 'ok'; readonly revision: number; readonly answer: HistoryAnswer }
  /** The store looked at it and changed nothing. */
  | {
      readonly kind: 'refused';
      readonly refusal: 'compacted' | 'future-revision' | 'lease-not-found' | 'other';
    }
  /** Surely not done, neither now nor later. */
  | { readonly kind: 'failed' }
  /** May have been done, or be done later. */
  | { readonly kind: 'unknown' };

/**
 * One call of one client, which has one call under way at a time until it is answered. Times are
 * numbers on one clock that all calls of a history share, of any unit; a call that returned before
 * another was called has a smaller `returnedAt` than the other's `calledAt`.
 */
export interface HistoryCall {
  readonly id: number;
  readonly client: string;
  readonly request: HistoryRequest;
  readonly calledAt: number;
  /** Of an unknown outcome: when the client gave up. */
  readonly returnedAt: number;
  readonly outcome: HistoryOutcome;
}

export interface HistoryEvent {
  readonly kind: 'put' | 'delete';
  readonly kv: HistoryKv;
}

/** All that one revision changed, in the order of the operations. */
export interface HistoryRevision {
  readonly revision: number;
  readonly events: readonly HistoryEvent[];
}

/** A promise of the store that a history breaks; `rule` as the promise is numbered. */
export interface Violation {
  readonly rule:
    | 'A1' // strict serializability
    | 'A2' // one revision per mutating request
    | 'A3' // revisions seen by one client never decrease
    | 'A4' // done once
    | 'A5' // definite failure never applied
    | 'A6' // members equal at an equal revision
    | 'L1' // never early
    | 'L2' // bounded life
    | 'L3' // all keys of a lease go in one revision
    | 'W1' // ordered
    | 'W2' // unique
    | 'W3' // reliable
    | 'W4' // atomic
    | 'W5' // resumable
    | 'W6' // progress never ahead
    | 'W7' // compacted start is told
    | 'W8'; // filters and previous values
  readonly text: string;
}
