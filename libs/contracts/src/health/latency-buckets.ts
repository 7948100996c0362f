/**
 * Upper bounds, inclusive, of the buckets that latencies are counted in, milliseconds: from 0.5 ms to
 * some 33 s, two for each doubling. One more bucket takes what is slower.
 */
export const LATENCY_BOUNDS_MS: readonly number[] = Array.from(
  { length: 33 },
  (_, index) => 0.5 * 2 ** (index / 2),
);

export const LATENCY_BUCKETS = LATENCY_BOUNDS_MS.length + 1;

/** The bucket of a latency, which is a number of milliseconds from 0. */
export function latencyBucketOf(latencyMs: number): number {
  let low = 0;
  let high = LATENCY_BOUNDS_MS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (latencyMs <= LATENCY_BOUNDS_MS[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The latency, in milliseconds, that the part `q` (0 to 1) of what was counted does not pass. Within a
 * bucket what it holds is taken for evenly spread, and what is slower than the last bound for as slow as
 * that. `null`: nothing was counted. Buckets at the end that nothing fell into may be left out.
 */
export function quantileOf(buckets: readonly number[], q: number): number | null {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  const wanted = Math.min(1, Math.max(0, q)) * total;
  let below = 0;
  for (const [index, count] of buckets.entries()) {
    if (count > 0 && below + count >= wanted) {
      const lower = LATENCY_BOUNDS_MS[index - 1] ?? 0;
      const upper = LATENCY_BOUNDS_MS[index] ?? lower;
      return lower + ((wanted - below) / count) * (upper - lower);
    }
    below += count;
  }
  return LATENCY_BOUNDS_MS.at(-1) ?? null;
}
