import { describe, expect, it } from 'vitest';
import {
  DEFAULT_STATE_LIMITS,
  MetadataState,
  NO_LEASE,
  decodeCommand,
  encodeCommand,
  prefixRange,
} from './index.js';
import type { Command, CommandResult, Operation } from './index.js';
import { SortedMap } from './sorted-map.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

function put(key: string, value = '', lease = NO_LEASE): Operation {
  return { kind: 'put', key: bytes(key), value: bytes(value), lease };
}

function txn(...success: Operation[]): Command {
  return { kind: 'txn', compare: [], success, failure: [] };
}

class Subject {
  readonly state: MetadataState;
  #index = 0;

  constructor(limits: Partial<typeof DEFAULT_STATE_LIMITS> = {}) {
    this.state = new MetadataState({ ...DEFAULT_STATE_LIMITS, ...limits });
  }

  run(command: Command, term = 1): CommandResult {
    this.#index += 1;
    return this.state.apply(command, { index: this.#index, term });
  }
}

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
});

describe('leases', () => {
  it('take their keys with them in one revision, unless those went over to another', () => {
    const subject = new Subject();
    subject.run({ kind: 'lease-grant', id: 7n, ttlMs: 1000 });
    subject.run({ kind: 'lease-grant', id: 8n, ttlMs: 1000 });
    subject.run(txn(put('a', '', 7n), put('b', '', 7n), put('c', '', 7n)));
    subject.run(txn(put('b', '', 8n), put('c')));
    expect(subject.run({ kind: 'lease-revoke', id: 7n })).toEqual({
      kind: 'done',
      revision: 4,
      ids: [7n],
    });
    const left = subject.state.range(prefixRange(bytes('')));
    expect(left).toMatchObject({ count: 2 });
    expect(subject.state.events(4, 9).flatMap(({ events }) => events)).toHaveLength(1);
  });

  it('do not expire by the word of a former leader', () => {
    const subject = new Subject();
    subject.run({ kind: 'lease-grant', id: 7n, ttlMs: 1000 });
    subject.run(txn(put('a', '', 7n)));
    expect(subject.run({ kind: 'lease-expire', ids: [7n], term: 1 }, 2)).toMatchObject({ ids: [] });
    expect(subject.state.lease(7n)).not.toBeNull();
    expect(subject.run({ kind: 'lease-expire', ids: [7n], term: 2 }, 2)).toMatchObject({
      ids: [7n],
      revision: 3,
    });
  });

  it('get ids of their own, and a TTL within bounds', () => {
    const subject = new Subject();
    subject.run({ kind: 'lease-grant', id: 2n, ttlMs: 1 });
    expect(subject.run({ kind: 'lease-grant', id: 0n, ttlMs: 1 })).toMatchObject({ id: 3n });
    for (const ttlMs of [0, 9_000_000_000_001]) {
      expect(subject.run({ kind: 'lease-grant', id: 0n, ttlMs })).toMatchObject({
        refusal: 'ttl-out-of-range',
      });
    }
  });
});

describe('limits', () => {
  it('refuse keys, values, operations and a full store, changing nothing', () => {
    const subject = new Subject({ keyBytes: 4, valueBytes: 8, operations: 2, totalBytes: 300 });
    const refusals = [
      txn(put('')),
      txn(put('12345')),
      txn(put('a', '123456789')),
      txn(put('a'), put('b'), put('c')),
      txn(put('a'), put('a')),
      txn(put('ab'), { kind: 'delete', key: bytes('a'), rangeEnd: bytes('b') }),
    ].map((command) => subject.run(command));
    expect(refusals.map((result) => (result.kind === 'refused' ? result.refusal : ''))).toEqual([
      'empty-key',
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
});

describe('compaction', () => {
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
});

describe('records of another version', () => {
  it('are refused', () => {
    const command = encodeCommand({ kind: 'compact', revision: 3 });
    expect(() => decodeCommand(Uint8Array.of(2, ...command.subarray(1)))).toThrow(/format 2/);
    expect(() => decodeCommand(command.subarray(0, 5))).toThrow(RangeError);
    expect(() => decodeCommand(Uint8Array.of(...command, 0))).toThrow(/surplus/);
    const snapshot = new MetadataState().snapshot();
    snapshot[0] = 9;
    expect(() => new MetadataState().restore(snapshot)).toThrow(/snapshot format 9/);
  });
});

describe('prefixes and order', () => {
  it.each([
    ['a', 'b'],
    ['a\u00ff', 'b'],
    ['\u00ff', '\0'],
    ['', '\0'],
  ])('of %j end before %j', (prefix, end) => {
    const { rangeEnd } = prefixRange(Buffer.from(prefix, 'latin1'));
    expect(Buffer.from(rangeEnd).toString('latin1')).toBe(end);
  });

  it('is that of the bytes, over many keys put and deleted', () => {
    const map = new SortedMap<number>();
    const names = Array.from({ length: 3000 }, (_, at) => `k${(at * 7919) % 3001}`);
    names.forEach((name, at) => map.set(name, at));
    for (const name of names.slice(0, 1000)) map.delete(name);
    const left = names.slice(1000).sort();
    expect([...map.entries()].map(([name]) => name)).toEqual(left);
    expect([...map.entries('k2', 'k21')].map(([name]) => name)).toEqual(
      left.filter((name) => name >= 'k2' && name < 'k21'),
    );
    for (const name of left) map.delete(name);
    expect([...map.entries()]).toEqual([]);
  });
});
