import { changes, isAcknowledged, type Call } from '../traffic/call.js';

/** A stretch of time whose writes may be gone, on the clock of the calls. */
export interface LostStretch {
  /** When the copy was begun: what had been acknowledged before is in it. */
  readonly from: number;
  /** When the copy had taken the place: what was called and acknowledged since is in it. */
  readonly replaced: number;
  /** When the loss had been accepted. */
  readonly until: number;
}

/**
 * The calls as far as they bind who restored an older copy: changes of a lost stretch may be there or
 * not, unless they were surely not done, and what was read meanwhile tells nothing of what is there.
 */
export function forgive(calls: readonly Call[], stretches: readonly LostStretch[]): Call[] {
  return calls.flatMap((call) => {
    if (!stretches.some((stretch) => mayBeLost(call, stretch))) return [call];
    if (!changes(call)) return [];
    const { kind } = call.outcome;
    if (kind === 'failed' || kind === 'refused') {
      return [{ ...call, outcome: { kind: 'failed', why: 'refused' } as const }];
    }
    return [{ ...call, outcome: { kind: 'unknown', why: 'an older copy was restored' } as const }];
  });
}

function mayBeLost(call: Call, { from, replaced, until }: LostStretch): boolean {
  if (call.returnedAt < from || call.calledAt > until) return false;
  return !isAcknowledged(call) || call.calledAt <= replaced;
}
