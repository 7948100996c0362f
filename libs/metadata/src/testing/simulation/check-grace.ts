import type { Violation } from '../history/index.js';
import type { LeaderMoment } from './leader-time.js';

/** What ran out while a leader's process stood still gets so much of its time, to be renewed. */
const GRACE_MS = 1_000;
const ROUNDING_MS = 0.01;

/** A process stood still, or its clock jumped ahead, which it cannot tell from that. */
export interface Stall {
  readonly kind: 'pause' | 'jump';
  readonly at: LeaderMoment;
}

export interface UnrenewedLife {
  readonly lease: string;
  readonly ttlMs: number;
  /** When the last renewal that was acknowledged was called. */
  readonly renewedAt: LeaderMoment;
  readonly goneAt: LeaderMoment;
}

/**
 * A lease that runs out because a clock jumped ahead lives on for a while after the jump, by all
 * that is left of the clock (the first time: then it is over). Judges lives with one jump since the
 * last renewal, and nothing like it; answers null where there is nothing to judge.
 */
export function checkGrace(
  { lease, ttlMs, renewedAt, goneAt }: UnrenewedLife,
  stalls: readonly Stall[],
): 'kept' | Violation | null {
  const [stall, another] = stalls.filter(
    ({ at }) => at.steadyMs >= renewedAt.steadyMs && at.steadyMs <= goneAt.steadyMs,
  );
  if (stall?.kind !== 'jump' || another !== undefined) return null;
  const fullMs = renewedAt.steadyMs + ttlMs;
  const gracedMs = stall.at.steadyMs + Math.min(ttlMs, GRACE_MS);
  const earlyMs = Math.min(fullMs, gracedMs) - goneAt.steadyMs;
  if (earlyMs <= ROUNDING_MS) return 'kept';
  const text = `lease ${lease} of ${ttlMs} ms ended ${earlyMs} ms too early after a clock jumped`;
  return { rule: 'L1', text };
}
