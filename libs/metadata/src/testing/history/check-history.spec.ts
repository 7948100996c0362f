import { seededRng } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { checkKvHistory } from './check-history.js';
import type { HistoryCall, HistoryOutcome, HistoryRequest, HistoryRevision } from './history.js';
import { recordHistory } from './recorded-store.fixture.js';
import { kv, written } from './written.fixture.js';

/** `p 1-4`: by client p from moment 1 to 4. */
function call(at: string, request: HistoryRequest, outcome: HistoryOutcome): HistoryCall {
  const [, client = '', from, to] = /^(\w+) (\d+)-(\d+)$/.exec(at) ?? [];
  return {
    id: Number(from),
    client,
    request,
    calledAt: Number(from),
    returnedAt: Number(to),
    outcome,
  };
}

const put = (key: string, value: string): HistoryRequest => ({ kind: 'put', key, value });
const get = (key: string): HistoryRequest => ({ kind: 'range', key });
const answered = (revision: number): HistoryOutcome => ({
  kind: 'ok',
  revision,
  answer: { kind: 'put' },
});
const removed = (revision: number, deleted: number): HistoryOutcome => ({
  kind: 'ok',
  revision,
  answer: { kind: 'delete', deleted },
});
function found(revision: number, ...kvs: ReturnType<typeof kv>[]): HistoryOutcome {
  return { kind: 'ok', revision, answer: { kind: 'range', kvs, count: kvs.length, more: false } };
}
const unknown: HistoryOutcome = { kind: 'unknown' };
const failed: HistoryOutcome = { kind: 'failed' };
const done = (revision: number): HistoryOutcome => ({
  kind: 'ok',
  revision,
  answer: { kind: 'done' },
});
const a1 = kv('a', '1', { createRevision: 2, modRevision: 2, version: 1 });
const a2 = kv('a', '2', { createRevision: 2, modRevision: 3, version: 2 });

const rules = (calls: readonly HistoryCall[], log: readonly HistoryRevision[]) =>
  checkKvHistory({ calls, written: log }).violations.map(({ rule }) => rule);

describe('the check of a history', () => {
  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'accepts a correct one, seed %i',
    (seed) => {
      const report = checkKvHistory(recordHistory(seededRng(seed), 100));
      expect(report.violations).toEqual([]);
      expect(report.unknown).toBeGreaterThan(0);
      expect(report.answered).toBeGreaterThan(50);
    },
  );

  it('accepts what took effect though its outcome was unknown, and what did not', () => {
    const calls = [
      call('p 1-2', put('a', '1'), unknown),
      call('q 1-2', put('a', 'x'), unknown),
      call('r 3-4', get('a'), found(1)),
      call('r 5-6', get('a'), found(2, a1)),
    ];
    expect(checkKvHistory({ calls, written: written('a=1') })).toMatchObject({
      violations: [],
      unknown: 2,
      unknownDone: 1,
    });
  });

  it('tells a stale read', () => {
    const calls = [
      call('p 1-2', put('a', '1'), answered(2)),
      call('p 3-4', put('a', '2'), answered(3)),
      call('q 5-6', get('a'), found(2, a1)),
    ];
    expect(rules(calls, written('a=1', 'a=2'))).toEqual(['A1']);
    const concurrent = [...calls.slice(0, 2), call('q 2-6', get('a'), found(2, a1))];
    expect(rules(concurrent, written('a=1', 'a=2'))).toEqual([]);
    const serializable = { ...calls[2]!, request: { ...get('a'), serializable: true } as const };
    expect(rules([...calls.slice(0, 2), serializable], written('a=1', 'a=2'))).toEqual([]);
  });

  it('tells a client that went back in time by the revisions that it saw', () => {
    const calls = [
      call('p 1-9', put('a', '1'), unknown),
      call('q 2-3', get('a'), found(2, a1)),
      call('q 4-5', get('a'), found(1)),
    ];
    expect(rules(calls, written('a=1'))).toEqual(['A3']);
  });

  it('tells a write that is in the order before one that had returned', () => {
    const calls = [
      call('p 1-2', put('a', '1'), answered(3)),
      call('q 3-4', put('b', '1'), answered(2)),
    ];
    expect(rules(calls, written('b=1', 'a=1'))).toEqual(['A1']);
  });

  it('tells an answer that is not of the state at its revision', () => {
    const calls = [call('p 1-2', put('a', '1'), answered(2)), call('q 3-4', get('a'), found(2))];
    expect(rules(calls, written('a=1'))).toEqual(['A1']);
    expect(rules([call('p 1-2', put('a', '1'), answered(7))], written('a=1'))).toContain('A1');
  });

  it('tells a lost write: answered, and not there afterwards', () => {
    const calls = [
      call('p 1-2', put('a', '1'), answered(2)),
      call('q 3-4', put('b', '1'), answered(3)),
    ];
    expect(rules(calls, written('a=1'))).toEqual(['A1']);
    expect(rules(calls, written('b=1'))).toEqual(expect.arrayContaining(['A1']));
  });

  it('tells two requests with one revision', () => {
    const remove: HistoryRequest = { kind: 'delete', key: 'a' };
    const calls = [
      call('p 1-2', put('a', '1'), answered(2)),
      call('p 3-4', remove, removed(3, 1)),
      call('q 3-4', remove, removed(3, 1)),
    ];
    expect(rules(calls, written('a=1', '-a'))).toEqual(['A2']);
    expect(rules(calls.slice(0, 2), written('a=1', '-a'))).toEqual([]);
  });

  it('tells a lost update: two compared with the same version and both won', () => {
    const cas = (value: string): HistoryRequest => ({
      kind: 'txn',
      compare: [{ key: 'a', target: 'mod', operator: '=', value: 0 }],
      success: [{ kind: 'put', key: 'a', value }],
      failure: [],
    });
    const won = (revision: number): HistoryOutcome => ({
      kind: 'ok',
      revision,
      answer: { kind: 'txn', succeeded: true, results: [{ kind: 'put' }] },
    });
    const calls = [call('p 1-4', cas('1'), won(2)), call('q 1-4', cas('2'), won(3))];
    expect(rules(calls, written('a=1', 'a=2'))).toEqual(['A1', 'A1']);
  });

  it('tells a revision that changed nothing, one left out, and a false version', () => {
    expect(rules([], [{ revision: 2, events: [] }])).toContain('A2');
    const [first, second] = written('a=1', 'a=2');
    const gap = [{ ...first!, revision: 3, events: [] }];
    expect(rules([call('p 1-2', put('a', '1'), unknown)], gap)).toContain('A2');
    const kvs = [{ kind: 'put' as const, kv: { ...a2, version: 7 } }];
    const calls = [call('p 1-2', put('a', '1'), unknown), call('p 3-4', put('a', '2'), unknown)];
    expect(rules(calls, [first!, { ...second!, events: kvs }])).toContain('A1');
    expect(rules(calls, [first!, second!])).toEqual([]);
  });

  it('tells what surely failed and was done all the same', () => {
    expect(rules([call('p 1-2', put('a', '1'), failed)], written('a=1'))).toEqual(['A5']);
    const refused: HistoryOutcome = { kind: 'refused', refusal: 'other' };
    expect(rules([call('p 1-2', put('a', '1'), refused)], written('a=1'))).toEqual(['A5']);
  });

  it('tells what was done twice', () => {
    expect(rules([call('p 1-2', put('a', '1'), unknown)], written('a=1', 'a=1'))).toEqual(['A4']);
    const calls = [call('p 1-2', put('a', '1'), answered(2))];
    expect(rules(calls, written('a=1', 'a=1'))).toEqual(['A4']);
  });

  it('tells what nobody asked for', () => {
    expect(rules([], written('a=1'))).toEqual(['A1']);
    expect(checkKvHistory({ calls: [], written: written('a=1'), from: 3 }).violations).toEqual([]);
  });

  it('tells an unknown write that was done before it was asked for', () => {
    const calls = [call('p 1-2', get('a'), found(2, a1)), call('q 3-4', put('a', '1'), unknown)];
    expect(rules(calls, written('a=1'))).toEqual(['A4']);
  });

  it('matches deletions of unknown outcome as well as can be', () => {
    const remove = (at: string, key: string, rangeEnd?: string) =>
      call(at, { kind: 'delete', key, ...(rangeEnd !== undefined && { rangeEnd }) }, unknown);
    const puts = [
      call('p 1-2', put('a', '1'), answered(2)),
      call('p 5-6', put('a', '2'), answered(4)),
    ];
    const log = written('a=1', '-a', 'a=2', '-a');
    expect(rules([...puts, remove('q 3-4', 'a', 'b'), remove('r 3-4', 'a')], log)).toEqual([]);
    expect(rules([...puts, remove('q 3-4', 'a')], log)).toEqual(['A4']);
  });

  it('knows the end of a lease, which deletes all its keys at once', () => {
    const holder = call('p 1-2', { kind: 'put', key: 'a', value: '1', lease: '7' }, answered(2));
    const other = call('p 3-4', { kind: 'put', key: 'b', value: '2', lease: '7' }, answered(3));
    const revoke = call('p 5-6', { kind: 'lease-revoke', lease: '7' }, done(4));
    const log = (...rest: string[]) => written('a=1@7', 'b=2@7', ...rest);
    expect(rules([holder, other], log('-a -b'))).toEqual([]);
    expect(rules([holder, other, revoke], log('-a -b'))).toEqual([]);
    expect(rules([holder, other], log('-a'))).toEqual(['A1']);
    expect(rules([holder, other, revoke], log('-a', '-b'))).toContain('L3');
    const after = call('p 7-8', { kind: 'put', key: 'a', value: '3', lease: '7' }, answered(5));
    expect(rules([holder, other, revoke, after], log('-a -b', 'a=3@7'))).toEqual(['A1']);
  });

  it('tells a state that had been compacted away, and a refusal without a cause', () => {
    const calls = [
      call('p 1-2', put('a', '1'), answered(2)),
      call('p 3-4', put('a', '2'), answered(3)),
    ];
    const log = written('a=1', 'a=2');
    const compact = call('p 5-6', { kind: 'compact', revision: 3 }, done(3));
    const old = { kind: 'range', key: 'a', revision: 2 } as const;
    const compacted: HistoryOutcome = { kind: 'refused', refusal: 'compacted' };
    const future: HistoryOutcome = { kind: 'refused', refusal: 'future-revision' };
    expect(rules([...calls, compact, call('q 7-8', old, compacted)], log)).toEqual([]);
    expect(rules([...calls, compact, call('q 7-8', old, found(3, a1))], log)).toEqual(['A1']);
    expect(rules([...calls, compact, call('q 5-8', old, found(3, a1))], log)).toEqual([]);
    expect(rules([...calls, call('q 7-8', old, compacted)], log)).toEqual(['A1']);
    expect(rules([...calls, call('q 7-8', old, future)], log)).toEqual(['A1']);
    expect(rules([...calls, call('q 1-8', old, future)], log)).toEqual([]);
    const again = call('q 7-8', { kind: 'compact', revision: 3 }, compacted);
    expect(rules([...calls, compact, again], log)).toEqual([]);
  });
});
