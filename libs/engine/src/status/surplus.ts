import type { Incarnation } from './incarnation.js';

/** Incarnations of one consumer that are remembered. */
const MAX_SIBLINGS = 32;

/**
 * Which incarnation of a consumer is to be forgotten before one more is remembered: the one that is silent for
 * longest. Each look goes over all that are known, and one in a crash loop ends thousands of times a day.
 */
export function surplusOf(
  siblings: ReadonlyMap<string, Incarnation>,
  isLive: (one: Incarnation) => boolean,
): Incarnation | undefined {
  if (siblings.size < MAX_SIBLINGS) return undefined;
  let oldest: Incarnation | undefined;
  for (const one of siblings.values()) {
    if (isLive(one) || one.lastSeenMs >= (oldest?.lastSeenMs ?? Infinity)) continue;
    oldest = one;
  }
  return oldest;
}
