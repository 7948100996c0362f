import type { ConsumerRef } from '../config-engine.js';
import type { Incarnation } from './incarnation.js';

/** An incarnation that ended, and when that was known, monotonic milliseconds. */
export interface Ended {
  readonly incarnation: Incarnation;
  readonly ms: number;
}

/**
 * Those that ended without a goodbye, which was known at `sinceMs` or later: another one of the consumer was
 * heard since, or they have been silent for `silentMs`; `null`: it may be that nobody can be heard.
 */
export function endedSince(
  incarnations: Iterable<Incarnation>,
  of: {
    readonly sinceMs: number;
    readonly nowMs: number;
    readonly silentMs: number | null;
    readonly siblings: (ref: ConsumerRef) => ReadonlyMap<string, Incarnation> | undefined;
  },
): Ended[] {
  const ended: Ended[] = [];
  for (const incarnation of incarnations) {
    if (incarnation.left) continue;
    const silentFromMs = incarnation.lastSeenMs + (of.silentMs ?? Infinity);
    const silentMs = silentFromMs < of.nowMs ? silentFromMs : Infinity;
    const ms = Math.min(silentMs, replacedMs(incarnation, of.siblings(incarnation.ref)));
    if (ms >= of.sinceMs && ms < Infinity) ended.push({ incarnation, ms });
  }
  return ended;
}

/** When another one was first heard after this one was last; Infinity: none was. */
function replacedMs(
  { lastSeenMs }: Incarnation,
  siblings: ReadonlyMap<string, Incarnation> | undefined,
): number {
  let ms = Infinity;
  if (siblings === undefined || siblings.size === 1) return ms;
  for (const { firstSeenMs } of siblings.values()) {
    if (firstSeenMs > lastSeenMs) ms = Math.min(ms, firstSeenMs);
  }
  return ms;
}
