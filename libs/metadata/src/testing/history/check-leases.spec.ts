import { describe, expect, it } from 'vitest';
import { checkLeases } from './check-leases.js';
import type { LeaseLife, LeaseRenewal } from './check-leases.js';

const at = (
  calledAtMs: number,
  outcome: LeaseRenewal['outcome'] = 'renewed',
  returnedAtMs = calledAtMs + 10,
): LeaseRenewal => ({ calledAtMs, returnedAtMs, outcome });

function rules(life: Partial<LeaseLife>, latenessMs = 500, fasterBy?: number): string[] {
  const full = { lease: '7', ttlMs: 1000, renewals: [at(0)], watchedUntilMs: 10_000, ...life };
  const bounds = { latenessMs, ...(fasterBy !== undefined && { fasterBy }) };
  return checkLeases([full], bounds).map(({ rule }) => rule);
}

describe('the check of leases', () => {
  it('accepts an end after the time has passed, and soon after', () => {
    expect(rules({ goneAtMs: 1000 })).toEqual([]);
    expect(rules({ goneAtMs: 1510 })).toEqual([]);
    expect(rules({ goneAtMs: 2300, renewals: [at(0), at(900), at(1200)] })).toEqual([]);
    expect(rules({ watchedUntilMs: 1400 })).toEqual([]);
  });

  it('L1: tells an end too early', () => {
    expect(rules({ goneAtMs: 999 })).toEqual(['L1']);
    expect(rules({ goneAtMs: 1800, renewals: [at(0), at(900)] })).toEqual(['L1']);
    // Only what was answered as renewed gives a promise.
    expect(rules({ goneAtMs: 1800, renewals: [at(0), at(900, 'unknown')] })).toEqual([]);
    expect(rules({ goneAtMs: 300, revokedAtMs: 200 })).toEqual([]);
    expect(rules({ goneAtMs: 300, revokedAtMs: 400 })).toEqual(['L1']);
    expect(rules({ goneAtMs: 950 }, 500, 1.1)).toEqual([]);
  });

  it('L1: tells a lease that is renewed after its end', () => {
    expect(rules({ goneAtMs: 1200, renewals: [at(0), at(1300)] })).toEqual(['L1']);
    expect(rules({ goneAtMs: 1200, renewals: [at(0), at(1300, 'dead')] })).toEqual([]);
  });

  it('L2: tells a lease that lives on', () => {
    expect(rules({ goneAtMs: 1511 })).toEqual(['L2']);
    expect(rules({})).toEqual(['L2']);
    const lost = [at(0), at(500, 'unknown', 2000)];
    expect(rules({ goneAtMs: 3500, renewals: lost })).toEqual([]);
    expect(rules({ goneAtMs: 3501, renewals: lost })).toEqual(['L2']);
    expect(rules({ goneAtMs: 1600, renewals: [at(0), at(1400, 'dead')] })).toEqual(['L2']);
  });
});
