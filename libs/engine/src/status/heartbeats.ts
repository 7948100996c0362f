/** Heartbeats that may be missed before a consumer is no longer live. */
export const MISSED_HEARTBEATS = 3;
/** Consumers at which heartbeats get rarer, so that a shard hears about this many per interval. */
const CONSUMERS_PER_INTERVAL = 20_000;

/** Milliseconds between two heartbeats of a consumer, among so many incarnations. */
export function intervalAmong(helloIntervalMs: number, count: number): number {
  const scale = Math.max(1, count / CONSUMERS_PER_INTERVAL);
  return Math.min(600_000, Math.round(helloIntervalMs * scale));
}

/** How long somebody may be silent who is live, among so many incarnations; milliseconds. */
export function silentAfterMs(helloIntervalMs: number, count: number): number {
  return MISSED_HEARTBEATS * intervalAmong(helloIntervalMs, count);
}
