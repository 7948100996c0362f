import { ManualTime } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import type { Command, CommandResult, LeaseId } from '../state/index.js';
import { LeaseAges } from './lease-ages.js';

const OWN: LeaseId = -1n;
const USERS: LeaseId = 1n;
const TTL_MS = 10_000;
const PLACE = { index: 7, term: 3 };

/** What one member knows of the age of leases. */
class Member {
  readonly time = new ManualTime();
  readonly ages = new LeaseAges(this.time);

  apply(body: Partial<Command>, result: Partial<CommandResult> = { kind: 'done', ids: [] }): void {
    this.ages.applied(body as Command, result as CommandResult, PLACE);
  }

  grant(id: LeaseId): void {
    this.apply({ kind: 'lease-grant', id, ttlMs: TTL_MS }, { kind: 'lease', id });
  }

  record(id: LeaseId, remainingMs: number, term = PLACE.term): void {
    this.apply({ kind: 'lease-checkpoint', leases: [{ id, remainingMs }], term });
  }

  leftMs(id: LeaseId, remainingMs = TTL_MS): number {
    return this.ages.leftMs({ id, ttlMs: TTL_MS, remainingMs });
  }
}

/** A member that applied the grant of a lease some time ago. */
function memberOf(id: LeaseId, ageMs: number): Member {
  const member = new Member();
  member.grant(id);
  member.time.advance(ageMs);
  return member;
}

describe('what is left of a lease with a new leader', () => {
  it('goes on from the grant, or the newest renewal, that this member applied', () => {
    const member = memberOf(OWN, 4000);
    expect(member.leftMs(OWN)).toBe(6000);
    member.record(OWN, 0);
    member.time.advance(1000);
    expect(member.leftMs(OWN)).toBe(9000);
  });

  it('is no more than what a leader recorded, which renews nothing', () => {
    const member = memberOf(OWN, 4000);
    member.record(OWN, 5500);
    expect(member.leftMs(OWN, 5500)).toBe(5500);
    member.time.advance(1000);
    expect(member.leftMs(OWN, 5500)).toBe(5000);
  });

  it('suffices to renew it, however long nobody led', () => {
    expect(memberOf(OWN, 3_600_000).leftMs(OWN)).toBe(4500);
    const short = memberOf(OWN, 3_600_000);
    expect(short.ages.leftMs({ id: OWN, ttlMs: 1500, remainingMs: 1500 })).toBe(1000);
    expect(short.ages.leftMs({ id: OWN, ttlMs: 400, remainingMs: 400 })).toBe(400);
  });

  it('is what the log says where renewals are no commands', () => {
    expect(memberOf(USERS, 4000).leftMs(USERS)).toBe(TTL_MS);
  });

  it('is what the log says once the state is another one, or the lease ended', () => {
    const restored = memberOf(OWN, 4000);
    restored.ages.restored();
    expect(restored.leftMs(OWN)).toBe(TTL_MS);
    const ended = memberOf(OWN, 4000);
    ended.apply({ kind: 'lease-revoke', id: OWN }, { kind: 'done', ids: [OWN] });
    expect(ended.leftMs(OWN)).toBe(TTL_MS);
  });

  it('is not more for a renewal of a leader that had been replaced: nobody was told of it', () => {
    const member = memberOf(OWN, 4000);
    member.record(OWN, 0, PLACE.term - 1);
    expect(member.leftMs(OWN)).toBe(6000);
  });
});
