import { describe, expect, it } from 'vitest';
import {
  CommandFormatError,
  DEFAULT_STATE_LIMITS,
  MetadataState,
  NO_LEASE,
  decodeCommand,
  encodeCommand,
  isReadOnly,
  prefixRange,
} from './index.js';
import type { Command, CommandBody, Operation, SessionCall } from './index.js';
import { Subject, bytes, put, refusalOf, txn } from './subject.fixture.js';

describe('revisions', () => {
  it('begin at 1, count transactions that write, and nothing else', () => {
    const subject = new Subject();
    expect(subject.state.revision).toBe(1);
    expect(subject.run(txn(put('a'), put('b')))).toMatchObject({ revision: 2 });
    expect(subject.run(txn({ kind: 'delete', key: bytes('zzz') }))).toMatchObject({ revision: 2 });
    expect(subject.run(txn({ kind: 'range', key: bytes('a') }))).toMatchObject({ revision: 2 });
    expect(subject.run({ kind: 'lease-grant', id: 5n, ttlMs: 1 })).toMatchObject({ revision: 2 });
    expect(subject.run(txn({ kind: 'delete', key: bytes('a') }))).toMatchObject({ revision: 3 });
  });

  it('are applied at each place in the log once', () => {
    const state = new MetadataState();
    state.apply(txn(put('a')), { index: 7, term: 1 });
    expect(() => state.apply(txn(put('a')), { index: 7, term: 1 })).toThrow(/applied once/);
    expect(state.appliedIndex).toBe(7);
  });
});

describe('transactions', () => {
  it('see their own writes, and compare, nested too, what was before them', () => {
    const subject = new Subject();
    subject.run(txn(put('a', 'old')));
    const nested: Operation = {
      kind: 'txn',
      compare: [{ key: bytes('a'), operator: '=', target: 'value', value: bytes('old') }],
      success: [{ kind: 'range', key: bytes('a') }, put('b', 'x')],
      failure: [],
    };
    const result = subject.run(txn(put('c', 'x'), nested, { kind: 'range', key: bytes('b') }));
    expect(result).toMatchObject({
      revision: 3,
      results: [
        { revision: 3 },
        { succeeded: true, results: [{ kvs: [{ value: bytes('old') }] }, { revision: 3 }] },
        { kvs: [{ value: bytes('x') }], revision: 3 },
      ],
    });
  });

  it('may delete what a nested one put, both told in one revision', () => {
    const subject = new Subject();
    const first: Operation = { kind: 'txn', compare: [], success: [put('a', '1')], failure: [] };
    const then: Operation = {
      kind: 'txn',
      compare: [],
      success: [{ kind: 'delete', key: bytes('a') }],
      failure: [],
    };
    expect(subject.run(txn(first, then))).toMatchObject({ revision: 2 });
    expect(refusalOf(subject.run(txn(then, first)))).toBe('duplicate-key');
    subject.run({ kind: 'compact', revision: 2 });
    const restored = new MetadataState();
    restored.restore(subject.state.snapshot());
    for (const state of [subject.state, restored]) {
      expect(state.events(2, 9)).toMatchObject([{ events: [{ kind: 'put' }, { kind: 'delete' }] }]);
      expect(state.sizeBytes).toBe(64 + 2 + 64 + 1);
    }
  });

  it('are bounded together with what is inside them', () => {
    const subject = new Subject({ operations: 3 });
    const inner: Operation = {
      kind: 'txn',
      compare: [],
      success: [put('b'), put('c')],
      failure: [],
    };
    expect(refusalOf(subject.run(txn(inner)))).toBe('txn');
    expect(refusalOf(subject.run(txn(inner, put('a'))))).toBe('too-many-operations');
  });

  it('keep the value or the lease that is there when they are told to', () => {
    const subject = new Subject();
    subject.run({ kind: 'lease-grant', id: 7n, ttlMs: 1000 });
    const keep = (how: object, value = '', lease = NO_LEASE): Command =>
      txn({ ...put('a', value, lease), ...how });
    const held = (): unknown => subject.state.range({ key: bytes('a') });
    expect(refusalOf(subject.run(keep({ ignoreValue: true })))).toBe('key-not-found');
    expect(refusalOf(subject.run(keep({ ignoreValue: true }, 'x')))).toBe('value-provided');
    expect(refusalOf(subject.run(keep({ ignoreLease: true }, '', 7n)))).toBe('lease-provided');
    subject.run(txn(put('a', 'x', 7n)));
    subject.run(keep({ ignoreLease: true }, 'y'));
    expect(held()).toMatchObject({ kvs: [{ value: bytes('y'), lease: 7n, version: 2 }] });
    subject.run(keep({ ignoreValue: true }));
    expect(held()).toMatchObject({ kvs: [{ value: bytes('y'), lease: 0n, version: 3 }] });
    expect(subject.state.leaseKeys(7n)).toEqual([]);
  });

  it('that write nothing can be read without the log', () => {
    const subject = new Subject();
    subject.run(txn(put('a', 'x')));
    const read = {
      compare: [],
      success: [],
      failure: [{ kind: 'range', key: bytes('a') }],
    } as const;
    expect(isReadOnly(read)).toBe(true);
    expect(isReadOnly({ ...read, success: [put('a')] })).toBe(false);
    const wanted = { ...read, success: read.failure };
    expect(subject.state.readTxn(wanted)).toMatchObject({ revision: 2, results: [{ count: 1 }] });
    expect(() => subject.state.readTxn({ ...read, success: [put('a')] })).toThrow(/log/);
  });
});

describe('leases', () => {
  it('take their keys with them in one revision, unless those went over to another', () => {
    const subject = new Subject();
    subject.run({ kind: 'lease-grant', id: 7n, ttlMs: 1000 });
    subject.run({ kind: 'lease-grant', id: 8n, ttlMs: 1000 });
    subject.run(txn(put('a', '', 7n), put('b', '', 7n), put('c', '', 7n)));
    subject.run(txn(put('b', '', 8n), put('c')));
    expect(subject.state.leaseKeys(7n)).toEqual([bytes('a')]);
    expect(subject.run({ kind: 'lease-revoke', id: 7n })).toEqual({
      kind: 'done',
      revision: 4,
      ids: [7n],
    });
    const left = subject.state.range(prefixRange(bytes('')));
    expect(left).toMatchObject({ count: 2 });
    expect(subject.state.events(4, 9).flatMap(({ events }) => events)).toHaveLength(1);
  });

  it('give up their keys in the order of these, whatever order they came in', () => {
    const subject = new Subject();
    subject.run({ kind: 'lease-grant', id: 7n, ttlMs: 1000 });
    for (const key of ['c', 'a', 'b']) subject.run(txn(put(key, '', 7n)));
    expect(subject.state.leaseKeys(7n)).toEqual(['a', 'b', 'c'].map(bytes));
    subject.run({ kind: 'lease-revoke', id: 7n });
    const [{ events } = { events: [] }] = subject.state.events(5, 1);
    expect(events.map(({ kv }) => kv.key)).toEqual(['a', 'b', 'c'].map(bytes));
  });

  it('do not expire, nor lose time, by the word of a former leader', () => {
    const subject = new Subject();
    subject.run({ kind: 'lease-grant', id: 7n, ttlMs: 1000 });
    subject.run(txn(put('a', '', 7n)));
    expect(subject.run({ kind: 'lease-expire', ids: [7n], term: 1 }, 2)).toMatchObject({ ids: [] });
    const checkpoint = { kind: 'lease-checkpoint', term: 1 } as const;
    subject.run({ ...checkpoint, leases: [{ id: 7n, remainingMs: 300 }] }, 2);
    expect(subject.state.lease(7n)).toEqual({ id: 7n, ttlMs: 1000, remainingMs: 1000 });
    subject.run({ ...checkpoint, leases: [{ id: 7n, remainingMs: 300 }] });
    expect(subject.state.lease(7n)).toMatchObject({ remainingMs: 300 });
    const restored = new MetadataState();
    restored.restore(subject.state.snapshot());
    expect(restored.lease(7n)).toMatchObject({ remainingMs: 300 });
    subject.run({ ...checkpoint, leases: [{ id: 7n, remainingMs: 0 }] });
    expect(subject.state.lease(7n)).toMatchObject({ remainingMs: 1000 });
    expect(subject.run({ kind: 'lease-expire', ids: [7n], term: 2 }, 2)).toMatchObject({
      ids: [7n],
      revision: 3,
    });
  });

  it('that end together take one revision each, with all of their keys', () => {
    const subject = new Subject();
    for (const id of [7n, 8n]) subject.run({ kind: 'lease-grant', id, ttlMs: 1000 });
    subject.run(txn(put('a', '', 7n), put('b', '', 8n), put('c', '', 7n)));
    subject.run({ kind: 'lease-expire', ids: [7n, 8n], term: 1 });
    const changed = subject.state
      .events(3, 10)
      .map(({ revision, events }) => [
        revision,
        events.map(({ kv }) => Buffer.from(kv.key).toString()),
      ]);
    expect(changed).toEqual([
      [3, ['a', 'c']],
      [4, ['b']],
    ]);
  });

  it('get ids of their own, and a TTL within bounds', () => {
    const subject = new Subject();
    subject.run({ kind: 'lease-grant', id: 2n, ttlMs: 1 });
    const granted = { kind: 'lease-grant', id: 0n, ttlMs: 1 } as const;
    subject.run({ kind: 'lease-grant', id: -3n, ttlMs: 1 });
    expect(subject.run(granted)).toMatchObject({ id: -4n });
    expect(subject.run({ ...granted, origin: 'user' })).toMatchObject({ id: 4n });
    for (const ttlMs of [0, 9_000_000_000_001]) {
      expect(refusalOf(subject.run({ kind: 'lease-grant', id: 0n, ttlMs }))).toBe(
        'ttl-out-of-range',
      );
    }
  });
});

describe('limits', () => {
  it('refuse keys, values, operations and a full store, changing nothing', () => {
    const subject = new Subject({ keyBytes: 4, valueBytes: 8, operations: 2, totalBytes: 300 });
    const refusals = [
      txn(put('')),
      txn(put('12345')),
      txn({ kind: 'range', key: bytes('a'), rangeEnd: bytes('12345') }),
      txn(put('a', '123456789')),
      txn(put('a'), put('b'), put('c')),
      txn(put('a'), put('a')),
      txn(put('ab'), { kind: 'delete', key: bytes('a'), rangeEnd: bytes('b') }),
    ].map((command) => refusalOf(subject.run(command)));
    expect(refusals).toEqual([
      'empty-key',
      'too-large',
      'too-large',
      'too-large',
      'too-many-operations',
      'duplicate-key',
      'duplicate-key',
    ]);
    for (let at = 0; at < 4; at += 1) subject.run(txn(put('a', 'value')));
    expect(subject.run(txn(put('a', 'value')))).toMatchObject({ refusal: 'no-space' });
    expect(subject.state.revision).toBe(5);
    subject.run(txn({ kind: 'delete', key: bytes('a') }));
    subject.run({ kind: 'compact', revision: 6 });
    expect(subject.run(txn(put('a', 'value')))).toMatchObject({ kind: 'txn' });
  });

  it('raise the alarm before the store is full; users wait until it is cleared, we do not', () => {
    const subject = new Subject({ totalBytes: 400, userBytes: 200 });
    const user = (command: CommandBody): Command => ({ ...command, origin: 'user' }) as Command;
    subject.run(user(txn(put('a', '1'))));
    subject.run(user(txn(put('a', '2'))));
    subject.run(user(txn(put('a', '3'))));
    expect(subject.state.alarms).toEqual([]);
    expect(refusalOf(subject.run(user(txn(put('a', '4')))))).toBe('no-space');
    expect(subject.state.alarms).toEqual([{ member: 0n, alarm: 'nospace' }]);
    expect(refusalOf(subject.run(txn(put('own', 'x'))))).toBe('txn');
    expect(refusalOf(subject.run(user(txn({ kind: 'delete', key: bytes('a') }))))).toBe('txn');
    expect(refusalOf(subject.run({ kind: 'compact', revision: 6 }))).toBe('done');
    const grant = user({ kind: 'lease-grant', id: 1n, ttlMs: 9 });
    expect(refusalOf(subject.run(user(txn(put('a', '4')))))).toBe('no-space');
    expect(refusalOf(subject.run(grant))).toBe('no-space');
    subject.run({ kind: 'alarm', action: 'clear', member: 0n, alarm: 'nospace' });
    expect(refusalOf(subject.run(user(txn(put('b')))))).toBe('txn');
  });
});

describe('compaction', () => {
  it('up to nothing is done as long as nothing was compacted', () => {
    const subject = new Subject();
    const compact = (revision: number) => refusalOf(subject.run({ kind: 'compact', revision }));
    expect([compact(-1), compact(0), compact(0)]).toEqual(['compacted', 'done', 'done']);
    expect(subject.state.compactRevision).toBe(0);
    expect([compact(1), compact(1), compact(0)]).toEqual(['done', 'compacted', 'compacted']);
  });

  it('keeps the state and the events at its revision, a deletion too', () => {
    const subject = new Subject();
    subject.run(txn(put('a', '1'), put('b', '1')));
    subject.run(txn(put('b', '2')));
    subject.run(txn({ kind: 'delete', key: bytes('a') }));
    subject.run({ kind: 'compact', revision: 4 });
    expect(subject.state.events(4, 9)).toMatchObject([
      { revision: 4, events: [{ kind: 'delete', previous: null }] },
    ]);
    expect(subject.state.range({ key: bytes('b') }, 3)).toEqual({ refusal: 'compacted' });
    expect(subject.state.range({ key: bytes('b') }, 4)).toMatchObject({ count: 1 });
    subject.run(txn(put('c')));
    subject.run({ kind: 'compact', revision: 5 });
    expect(subject.state.sizeBytes).toBe(64 + 2 + 64 + 1);
  });

  /* etcd#19179: the deletion was dropped when compaction hit its own revision. */
  it('tells a watch that begins at its revision of a deletion made there', () => {
    const subject = new Subject();
    subject.run(txn(put('a')));
    subject.run(txn({ kind: 'delete', key: bytes('a') }));
    subject.run({ kind: 'compact', revision: 3 });
    while (subject.state.scavenge(1));
    for (const range of [{ key: bytes('a') }, prefixRange(bytes('a'))]) {
      const page = subject.state.readEvents({ ...range, from: 3 }, { changes: 9, events: 9 });
      expect(page).toMatchObject({ revisions: [{ revision: 3, events: [{ kind: 'delete' }] }] });
    }
    subject.run(txn(put('b')));
    subject.run({ kind: 'compact', revision: 4 });
    expect(
      subject.state.readEvents({ key: bytes('a'), from: 3 }, { changes: 9, events: 9 }),
    ).toEqual({ kind: 'compacted', compactRevision: 4 });
  });

  it('shows and counts nothing of it, however much memory is still to be given back', () => {
    const [swift, slow] = [new Subject(), new Subject()];
    for (const subject of [swift, slow]) {
      for (let at = 0; at < 3000; at += 1) subject.run(txn(put(`k${at % 700}`, `${at}`)));
      subject.run(txn({ kind: 'delete', key: bytes('k'), rangeEnd: bytes('k5') }));
    }
    const held = slow.state.snapshotChunks();
    for (const subject of [swift, slow]) subject.run({ kind: 'compact', revision: 3002 });
    while (swift.state.scavenge(100));
    expect(slow.state.scavenge(1e9)).toBe(true);
    expect(slow.state.sizeBytes).toBe(swift.state.sizeBytes);
    expect(swift.state.keptBytes).toBe(swift.state.sizeBytes);
    expect(slow.state.keptBytes).toBeGreaterThan(slow.state.sizeBytes);
    expect(slow.state.hashKv()).toEqual(swift.state.hashKv());
    expect(Buffer.compare(slow.state.snapshot(), swift.state.snapshot())).toBe(0);
    held.return();
    expect(slow.state.scavenge(1e9)).toBe(false);
    expect(slow.state.keptBytes).toBe(slow.state.sizeBytes);
    expect(Buffer.compare(slow.state.snapshot(), swift.state.snapshot())).toBe(0);
  });
});

describe('sessions', () => {
  const call = (id: bigint, sequence: number, answered = 0): SessionCall => ({
    id,
    sequence,
    answered,
  });
  const opened = (subject: Subject): bigint => {
    const result = subject.run({ kind: 'session-open', opener: 7n });
    if (result.kind !== 'session') throw new Error(result.kind);
    return result.id;
  };

  it('do a retried command once, and answer as the first time, after a restore too', () => {
    const subject = new Subject();
    const id = opened(subject);
    const command = {
      ...txn({ ...put('a', 'x'), prevKv: true } as Operation),
      session: call(id, 1),
    };
    subject.run(txn(put('a', 'before')));
    const first = subject.run(command);
    subject.run(txn(put('a', 'after')));
    expect(subject.run(command)).toEqual(first);
    subject.state.restore(subject.state.snapshot());
    expect(subject.run(command)).toEqual(first);
    expect(subject.state.revision).toBe(4);
    subject.run({ ...txn(), session: call(id, 2, 2) });
    expect(refusalOf(subject.run(command))).toBe('answer-forgotten');
  });

  it('end by number, by idleness counted in log entries, and when they are closed', () => {
    const sessions = { ...DEFAULT_STATE_LIMITS.sessions, count: 2, idleEntries: 10 };
    const subject = new Subject({ sessions });
    const [one, two] = [opened(subject), opened(subject)];
    subject.run({ ...txn(), session: call(one, 1) });
    const three = opened(subject);
    expect(refusalOf(subject.run({ ...txn(), session: call(two, 1) }))).toBe('session-not-found');
    expect(refusalOf(subject.run({ kind: 'session-close', id: three }))).toBe('done');
    expect(refusalOf(subject.run({ kind: 'session-close', id: three }))).toBe('session-not-found');
    subject.skip(11);
    expect(refusalOf(subject.run({ ...txn(), session: call(one, 2) }))).toBe('session-not-found');
  });

  it('do not encode an answer that is too large to keep', () => {
    const subject = new Subject();
    const id = opened(subject);
    const value = 'x'.repeat(1_000_000);
    for (const key of ['a', 'b', 'c', 'd']) subject.run(txn(put(key, value)));
    const read: Operation = { kind: 'range', key: bytes('a'), rangeEnd: bytes('z') };
    const read3 = txn(put('e'), read, read, read);
    const done = { ...read3, session: call(id, 1) };
    const before = process.memoryUsage().arrayBuffers;
    expect(refusalOf(subject.run(done))).toBe('txn');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
    expect(refusalOf(subject.run(done))).toBe('answer-forgotten');
  });

  it('bound the answers they keep', () => {
    const sessions = { ...DEFAULT_STATE_LIMITS.sessions, window: 2, answerBytes: 100 };
    const subject = new Subject({ sessions });
    const id = opened(subject);
    subject.run(txn(put('a', 'x'.repeat(200))));
    const read: Operation = { kind: 'range', key: bytes('a') };
    expect(refusalOf(subject.run({ ...txn(read), session: call(id, 1) }))).toBe('txn');
    expect(refusalOf(subject.run({ ...txn(read), session: call(id, 1) }))).toBe('answer-forgotten');
    expect(refusalOf(subject.run({ ...txn(), session: call(id, 2) }))).toBe('txn');
    expect(refusalOf(subject.run({ ...txn(), session: call(id, 3) }))).toBe('session-full');
    expect(refusalOf(subject.run({ ...txn(), session: call(id, 3, 3) }))).toBe('txn');
  });
});

describe('commands that are not known', () => {
  it('are refused, and change nothing', () => {
    const subject = new Subject();
    const command = encodeCommand({ kind: 'compact', revision: 3 });
    const before = subject.state.hashKv();
    for (const strange of [
      new Uint8Array(0),
      Uint8Array.of(6, ...command.subarray(1)),
      Uint8Array.of(...command, 0),
      command.subarray(0, 5),
    ]) {
      expect(refusalOf(subject.runBytes(strange))).toBe('unknown-command');
    }
    expect(subject.state.hashKv()).toEqual(before);
    expect(subject.state.appliedIndex).toBe(4);
  });

  it('stop this member once the cluster has decided to use them', () => {
    const subject = new Subject();
    expect(refusalOf(subject.run({ kind: 'upgrade', format: 5 }))).toBe('done');
    expect(() => subject.run({ kind: 'upgrade', format: 6 })).toThrow(CommandFormatError);
  });
});

describe('records of another version', () => {
  it('are refused', () => {
    const command = encodeCommand({ kind: 'compact', revision: 3 });
    expect(() => decodeCommand(Uint8Array.of(1, ...command.subarray(1)))).toThrow(/format 1/);
    expect(() => decodeCommand(command.subarray(0, 5))).toThrow(RangeError);
    expect(() => decodeCommand(Uint8Array.of(...command, 0))).toThrow(/surplus/);
    const snapshot = new MetadataState().snapshot();
    snapshot[0] = 9;
    expect(() => new MetadataState().restore(snapshot)).toThrow(/snapshot format 9/);
  });
});
