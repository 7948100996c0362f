import type { WorkLimits } from './txn-work.js';

/** Bounds of what a store takes. All members of a cluster must have the same. */
export interface StateLimits {
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** A command as encoded. */
  readonly requestBytes: number;
  /**
   * Comparisons of a transaction, and operations of each of its branches; a transaction inside
   * another has what the larger of these leaves.
   */
  readonly operations: number;
  /** Comparisons and operations of a transaction and of all those inside it, whichever are done. */
  readonly allOperations: number;
  /** What one transaction may look at and answer: members apply it whole, and wait for it. */
  readonly txn: WorkLimits;
  /** Keys of one lease, and about as many of leases that end together: they are deleted in one step. */
  readonly leaseKeys: number;
  /** What one read outside of a transaction may look at, counted as in transactions. */
  readonly rangeSteps: number;
  /** Of the answer to one read outside of a transaction, counted as in transactions. */
  readonly rangeAnswerBytes: number;
  /** Everything kept, history too, as {@link MetadataState.sizeBytes} counts it. */
  readonly totalBytes: number;
  /** Where users' puts and leases end and the alarm is raised; what is left above is our own. */
  readonly userBytes: number;
  readonly ttlMs: { readonly min: number; readonly max: number };
  readonly sessions: SessionLimits;
}

export interface SessionLimits {
  /** Beyond it the one that was used least recently ends. */
  readonly count: number;
  /** One that was not used for so many log entries ends. */
  readonly idleEntries: number;
  /** Commands of one session of which the answer may be outstanding. */
  readonly window: number;
  /** Of one answer; of a larger one is only known that it was given. */
  readonly answerBytes: number;
  /** Of all kept answers; beyond it the session that was used least recently ends. */
  readonly totalBytes: number;
}

export const DEFAULT_STATE_LIMITS: StateLimits = {
  keyBytes: 4 * 1024,
  valueBytes: 1024 * 1024,
  requestBytes: 1536 * 1024,
  operations: 128,
  allOperations: 2048,
  /* So much work takes some 50 ms, far below an election's time-out, on every member. */
  txn: { steps: 48_000, answerBytes: 16 * 1024 * 1024 },
  leaseKeys: 10_000,
  /* Takes some 200 ms on the member that is asked. */
  rangeSteps: 400_000,
  rangeAnswerBytes: 64 * 1024 * 1024,
  totalBytes: 256 * 1024 * 1024,
  userBytes: 240 * 1024 * 1024,
  /* The upper bound is etcd's, 9,000,000,000 seconds. */
  ttlMs: { min: 1, max: 9_000_000_000_000 },
  sessions: {
    count: 10_000,
    idleEntries: 1_000_000,
    window: 1024,
    answerBytes: 64 * 1024,
    totalBytes: 16 * 1024 * 1024,
  },
};
