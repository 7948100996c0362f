import type { Gate } from '@pawl/contracts';

/** An incarnation that ended without a goodbye, in monotonic milliseconds. */
export interface End {
  /** When it was first heard, and when last. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** When it was known that it had ended. */
  readonly ms: number;
}

/**
 * When the last crash loop was known: the later of two ends that are so close, of which one began when the
 * other was over; `null`: there is none. Processes that end together under one name are none.
 */
export function loopedAt(ends: readonly End[], withinMs: number): number | null {
  if (ends.length < 2) return null;
  const sorted = [...ends].sort((a, b) => a.ms - b.ms);
  let last: number | null = null;
  for (const [at, end] of sorted.entries()) {
    const former = sorted[at - 1];
    if (former === undefined || end.ms - former.ms > withinMs) continue;
    if (end.fromMs >= former.untilMs) last = end.ms;
  }
  return last;
}

/** How close two ends of a crash loop are, as the most patient of the gates has it; 0: none asks. */
export function loopMsOf(gates: readonly Gate[]): number {
  const times = gates.map(({ kind, withinMs = 0 }) => (kind === 'restarts' ? withinMs : 0));
  return Math.max(0, ...times);
}
