/** What services reported, added up. */
export interface HealthSum {
  readonly requests: number;
  readonly errors: number;
  /** Requests by latency, see `LATENCY_BOUNDS_MS`; buckets at the end may be missing. */
  readonly latency: readonly number[];
}

/** The same of instances that serve about as much as each other. */
export interface PacedSum extends HealthSum {
  /** Heartbeats that told it. */
  readonly heartbeats: number;
}

/** All of one side, by pace: the higher, the more an instance serves. */
export type HealthSide = ReadonlyMap<number, PacedSum>;

/** As many times what the median instance of its side tells one counts at most. */
export const MAX_TIMES_MEDIAN = 4;

/**
 * The sum of a side in which no instance weighs much more than the others, whatever it says: of those of one
 * pace what they tell in a heartbeat on average counts up to {@link MAX_TIMES_MEDIAN} times what those of
 * the pace of the median heartbeat tell. Where it is more, requests, errors and latencies count in
 * proportion. `told`: requests that were told.
 */
export function evenOut(side: HealthSide): HealthSum & { readonly told: number } {
  const paces = [...side].sort(([a], [b]) => a - b).map(([, sum]) => sum);
  const most = MAX_TIMES_MEDIAN * medianOf(paces);
  const all = { requests: 0, errors: 0, latency: [] as number[] };
  let told = 0;
  for (const { heartbeats, requests, errors, latency } of paces) {
    const part = Math.min(1, (most * heartbeats) / requests);
    told += requests;
    all.requests += requests * part;
    all.errors += errors * part;
    for (const [bucket, count] of latency.entries()) {
      all.latency[bucket] = (all.latency[bucket] ?? 0) + count * part;
    }
  }
  return { ...all, requests: Math.round(all.requests), told };
}

/** Requests in a heartbeat, on average, of those of the pace of the median one; the lower of two. */
function medianOf(paces: readonly PacedSum[]): number {
  const all = paces.reduce((sum, { heartbeats }) => sum + heartbeats, 0);
  let below = 0;
  for (const { heartbeats, requests } of paces) {
    below += heartbeats;
    if (below * 2 >= all) return requests / heartbeats;
  }
  return 0;
}
