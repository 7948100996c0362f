/** Bounds of what a store takes. All members of a cluster must have the same. */
export interface StateLimits {
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** A transaction as encoded. */
  readonly requestBytes: number;
  /** Comparisons of a transaction, and operations of each of its branches. */
  readonly operations: number;
  /** Everything kept, history too, as {@link MetadataState.sizeBytes} counts it. */
  readonly totalBytes: number;
  readonly ttlMs: { readonly min: number; readonly max: number };
}

export const DEFAULT_STATE_LIMITS: StateLimits = {
  keyBytes: 4 * 1024,
  valueBytes: 1024 * 1024,
  requestBytes: 1536 * 1024,
  operations: 128,
  totalBytes: 256 * 1024 * 1024,
  /* The upper bound is etcd's, 9,000,000,000 seconds. */
  ttlMs: { min: 1, max: 9_000_000_000_000 },
};
