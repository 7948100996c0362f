import type { Violation } from '../history/index.js';
import type { LeaseMoment } from './lease-time.js';

/** What ran out while a leader's process stood still gets so much of its time, to be renewed. */
const GRACE_MS = 1_000;
const ROUNDING_MS = 0.01;

/** A process stood still, or its clock jumped ahead, which it cannot tell from that. */
export interface Stall {
  readonly kind: 'pause' | 'jump';
  readonly at: LeaseMoment;
}

export interface UnrenewedLife {
  readonly lease: string;
  readonly ttlMs: number;
  /** By which clock it is counted. */
  readonly by: keyof LeaseMoment;
  /** When the last renewal that was acknowledged was called. */
  readonly renewedAt: LeaseMoment;
  readonly goneAt: LeaseMoment;
}

/**
 * A lease that runs out because a clock jumped ahead lives on for a while after the jump, by all
 * that is left of the clock (the first time: then it is over). Judges lives with one jump since the
 * last renewal, and nothing like it; answers null where there is nothing to judge.
 */
export function checkGrace(
  { lease, ttlMs, by, renewedAt, goneAt }: UnrenewedLife,
  stalls: readonly Stall[],
): 'kept' | Violation | null {
  const [renewedMs, goneMs] = [renewedAt[by].steadyMs, goneAt[by].steadyMs];
  const [stall, another] = stalls.filter(
    ({ at }) => at[by].steadyMs >= renewedMs && at[by].steadyMs <= goneMs,
  );
  if (stall?.kind !== 'jump' || another !== undefined) return null;
  const fullMs = renewedMs + ttlMs;
  const gracedMs = stall.at[by].steadyMs + Math.min(ttlMs, GRACE_MS);
  const earlyMs = Math.min(fullMs, gracedMs) - goneMs;
  if (earlyMs <= ROUNDING_MS) return 'kept';
  const text = `lease ${lease} of ${ttlMs} ms ended ${earlyMs} ms too early after a clock jumped`;
  return { rule: 'L1', text };
}
