import { changes, type Call } from '../traffic/call.js';

/** A stretch of time whose writes may be gone, on the clock of the calls. */
export interface LostStretch {
  /** When the copy was begun: what had been acknowledged before is in it. */
  readonly from: number;
  /** When the loss had been accepted. */
  readonly until: number;
}

/**
 * The calls as far as they bind who restored an older copy: changes of a lost stretch may be there or
 * not, unless they were surely not done, and what was read meanwhile tells nothing of what is there.
 */
export function forgive(calls: readonly Call[], stretches: readonly LostStretch[]): Call[] {
  return calls.flatMap((call) => {
    const isLost = stretches.some(
      ({ from, until }) => call.returnedAt >= from && call.calledAt <= until,
    );
    if (!isLost) return [call];
    if (!changes(call)) return [];
    const { kind } = call.outcome;
    if (kind === 'failed' || kind === 'refused') {
      return [{ ...call, outcome: { kind: 'failed', why: 'refused' } as const }];
    }
    return [{ ...call, outcome: { kind: 'unknown', why: 'an older copy was restored' } as const }];
  });
}
