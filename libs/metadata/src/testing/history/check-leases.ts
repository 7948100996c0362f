import type { Violation } from './history.js';

/** One attempt to grant or renew a lease. */
export interface LeaseRenewal {
  readonly calledAtMs: number;
  readonly returnedAtMs: number;
  /** `unknown`: not answered, may have had its effect until `returnedAtMs`; `dead`: it had ended. */
  readonly outcome: 'renewed' | 'unknown' | 'dead';
}

/** The life of one lease as its holder and an observer saw it, on one monotonic clock. */
export interface LeaseLife {
  readonly lease: string;
  /** As the grant answered it. */
  readonly ttlMs: number;
  /** The grant first; then renewals, in the order in which they were called. */
  readonly renewals: readonly LeaseRenewal[];
  /** When the first attempt to revoke it was called. */
  readonly revokedAtMs?: number;
  /**
   * When somebody first saw that it had ended: the deletion of its key, or an answer. Left out:
   * nobody had until `watchedUntilMs`.
   */
  readonly goneAtMs?: number;
  /** Until when it was looked at. */
  readonly watchedUntilMs: number;
}

/** By how much a leader's clock may run faster than the observer's, and how late an end may be. */
export interface LeaseBounds {
  /** Left out: 1, the same clock. */
  readonly fasterBy?: number;
  /** What may be added to the time to live, changes of the leader included. */
  readonly latenessMs: number;
}

/**
 * A lease never ends before its time has passed since its last acknowledged renewal was called (L1;
 * one that is renewed once it was gone ended too early, too), and lives no longer than its time and
 * the lateness after the last call that may have renewed it (L2).
 */
export function checkLeases(lives: readonly LeaseLife[], bounds: LeaseBounds): Violation[] {
  return lives.flatMap((life) => {
    const found = [tooEarly(life, bounds), tooLate(life, bounds)];
    return found.filter((violation) => violation !== null);
  });
}

function tooEarly(life: LeaseLife, { fasterBy = 1 }: LeaseBounds): Violation | null {
  const { lease, goneAtMs = Infinity, revokedAtMs = Infinity } = life;
  if (goneAtMs >= revokedAtMs) return null;
  for (const { calledAtMs, outcome } of life.renewals) {
    if (outcome !== 'renewed') continue;
    const livedMs = goneAtMs - calledAtMs;
    if (livedMs * fasterBy >= life.ttlMs) continue;
    const text = `lease ${lease} of ${life.ttlMs} ms was gone ${livedMs} ms after a renewal was called`;
    return { rule: 'L1', text };
  }
  return null;
}

function tooLate(life: LeaseLife, { latenessMs }: LeaseBounds): Violation | null {
  const ends = life.renewals
    .filter(({ outcome }) => outcome !== 'dead')
    .map(({ returnedAtMs }) => returnedAtMs);
  const latestEndMs = Math.max(0, ...ends) + life.ttlMs + latenessMs;
  const seenMs = life.goneAtMs ?? life.watchedUntilMs;
  if (seenMs <= latestEndMs) return null;
  const text = `lease ${life.lease} of ${life.ttlMs} ms lived ${seenMs - latestEndMs} ms too long`;
  return { rule: 'L2', text };
}
