import { describe, expect, it } from 'vitest';
import type { Command, CommandBody } from './index.js';
import { Subject, put, refusalOf, txn } from './subject.fixture.js';

describe('alarms', () => {
  const raise = (member: bigint, alarm: 'nospace' | 'corrupt'): Command => ({
    kind: 'alarm',
    action: 'raise',
    member,
    alarm,
  });

  it('of many members are refused, those of the store itself never', () => {
    const subject = new Subject({ userBytes: 10 });
    for (let member = 1n; member <= 128n; member += 1n) {
      expect(refusalOf(subject.run(raise(member, 'corrupt')))).toBe('done');
    }
    expect(refusalOf(subject.run(raise(129n, 'corrupt')))).toBe('too-many-members');
    expect(refusalOf(subject.run(raise(128n, 'corrupt')))).toBe('done');
    subject.run({ ...raise(128n, 'corrupt'), action: 'clear' } as Command);
    expect(refusalOf(subject.run(raise(129n, 'nospace')))).toBe('done');
    expect(refusalOf(subject.run(raise(0n, 'nospace')))).toBe('done');
    expect(subject.state.alarms).toHaveLength(129);
    for (const { member, alarm } of subject.state.alarms) {
      subject.run({ kind: 'alarm', action: 'clear', member, alarm });
    }
    expect(subject.state.alarms).toEqual([]);
  });

  it('that members differ stop what users write, and nothing of our own', () => {
    const subject = new Subject();
    const user = (command: CommandBody): Command => ({ ...command, origin: 'user' }) as Command;
    for (const id of [5n, 6n, -5n]) subject.run({ kind: 'lease-grant', id, ttlMs: 9 });
    subject.run(raise(7n, 'corrupt'));
    const users: Command[] = [
      user(txn(put('a'))),
      user({ kind: 'lease-grant', id: 9n, ttlMs: 9 }),
      { kind: 'lease-revoke', id: 5n },
    ];
    for (const command of users) expect(refusalOf(subject.run(command))).toBe('corrupt');
    const ours: Command[] = [
      txn(put('b')),
      { kind: 'lease-grant', id: -9n, ttlMs: 9 },
      { kind: 'lease-revoke', id: -9n },
      { kind: 'lease-expire', ids: [-5n, 6n], term: 1 },
      { kind: 'lease-checkpoint', leases: [{ id: 5n, remainingMs: 3 }], term: 1 },
      { kind: 'compact', revision: 2 },
    ];
    const results = ours.map((command) => refusalOf(subject.run(command)));
    expect(results).toEqual(['txn', 'lease', 'done', 'done', 'done', 'done']);
    expect(subject.state.leases).toEqual([{ id: 5n, ttlMs: 9, remainingMs: 3 }]);
    subject.run({ ...raise(7n, 'corrupt'), action: 'clear' } as Command);
    for (const command of users) expect(refusalOf(subject.run(command))).not.toBe('corrupt');
  });
});
