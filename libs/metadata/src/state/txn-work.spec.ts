import { describe, expect, it } from 'vitest';
import { DEFAULT_STATE_LIMITS, MetadataState, encodeCommand } from './index.js';
import type { Command, CommandResult, Compare, Operation } from './index.js';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const everything = { key: bytes('\0'), rangeEnd: bytes('\0') };
const readAll: Operation = { kind: 'range', ...everything };
const countAll: Operation = { kind: 'range', ...everything, countOnly: true };
const DEFAULT = DEFAULT_STATE_LIMITS;

function put(key: string, value: string | Uint8Array = '', lease = 0n): Operation {
  return {
    kind: 'put',
    key: bytes(key),
    value: typeof value === 'string' ? bytes(value) : value,
    lease,
  };
}

const txn = (...success: Operation[]): Command => ({
  kind: 'txn',
  compare: [],
  success,
  failure: [],
});
const inside = (success: Operation[], failure: Operation[] = []): Operation => ({
  kind: 'txn',
  compare: [],
  success,
  failure,
});
const times = <T>(count: number, item: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => item(at));

class Subject {
  readonly state: MetadataState;
  #index = 0;

  constructor(limits: Partial<typeof DEFAULT_STATE_LIMITS> = {}) {
    this.state = new MetadataState({ ...DEFAULT, ...limits });
  }

  run(command: Command): string {
    return outcomeOf(this.runFor(command));
  }

  runFor(command: Command): CommandResult {
    this.#index += 1;
    return this.state.applyEncoded(encodeCommand(command), { index: this.#index, term: 1 });
  }

  fill(keys: number, value = ''): void {
    for (let at = 0; at < keys; at += 100) {
      const some = times(Math.min(100, keys - at), (one) => put(name(at + one), value));
      expect(this.run(txn(...some))).toBe('txn');
    }
  }

  /** What a refused transaction must leave as it is. */
  content(): unknown {
    const { revision, sizeBytes, keptBytes, leases } = this.state;
    const keys = this.state.range({ ...everything, countOnly: true });
    const leaseKeys = leases.map(({ id }) => this.state.leaseKeys(id));
    const hash = this.state.hashKv();
    return { revision, sizeBytes, keptBytes, leases, leaseKeys, keys, hash };
  }
}

const name = (at: number): string => `k${String(at).padStart(6, '0')}`;

function outcomeOf(result: CommandResult): string {
  return result.kind === 'refused' ? result.refusal : result.kind;
}

/** With limits of so many steps. */
const steps = (most: number) => ({ txn: { ...DEFAULT.txn, steps: most } });
const answers = (most: number) => ({ txn: { ...DEFAULT.txn, answerBytes: most } });

describe('operations of a transaction', () => {
  it('are counted on all levels, of branches that are not taken too, and comparisons with them', () => {
    const subject = new Subject({ allOperations: 10 });
    const compare: Compare = { key: bytes('a'), operator: '=', target: 'version', value: 0 };
    const of = (count: number): Command => ({
      kind: 'txn',
      compare: [compare, compare],
      success: [inside([countAll, countAll], [countAll])],
      failure: [inside(times(count, () => countAll))],
    });
    expect(subject.run(of(3))).toBe('txn');
    expect(subject.run(of(4))).toBe('too-many-operations');
  });

  it('are refused before any is looked at: 22,000 in half a megabyte', () => {
    const subject = new Subject();
    subject.fill(20_000);
    const before = subject.content();
    const many = times(28, () => inside(times(28, () => inside(times(28, () => readAll)))));
    expect(subject.run(txn(put('x'), ...many))).toBe('too-many-operations');
    expect(subject.content()).toEqual(before);
  });
});

describe('the keys that a transaction looks at', () => {
  it('are bounded for all of its ranges together', () => {
    const subject = new Subject();
    subject.fill(20_000);
    const before = subject.content();
    const many = times(40, () => inside(times(40, () => ({ ...readAll, limit: 1000 }))));
    expect(subject.run(txn(put('x'), ...many))).toBe('too-large');
    expect(subject.content()).toEqual(before);
    expect(subject.run(txn(put('x'), ...times(9, () => ({ ...readAll, limit: 1000 }))))).toBe(
      'txn',
    );
  });

  it('are those that are there, or were since the compaction, until the limit is met', () => {
    const subject = new Subject(steps(60));
    subject.fill(50);
    expect(subject.run(txn(readAll))).toBe('txn');
    expect(subject.run(txn(readAll, { ...readAll, limit: 9 }))).toBe('txn');
    expect(subject.run(txn(readAll, { ...readAll, limit: 10 }))).toBe('too-large');
    expect(subject.run(txn(...times(100, () => countAll)))).toBe('txn');
    const some = { kind: 'delete', key: bytes('k'), rangeEnd: bytes(name(10)) } as const;
    expect(subject.run(txn(some))).toBe('txn');
    expect(subject.run(txn(readAll, { ...readAll, limit: 1 }))).toBe('too-large');
    expect(subject.run(txn(put('x')))).toBe('txn');
    expect(subject.run({ kind: 'compact', revision: 4 })).toBe('done');
    expect(subject.run(txn(readAll, { ...readAll, limit: 18 }))).toBe('txn');
    expect(subject.run(txn(readAll, { ...readAll, limit: 19 }))).toBe('too-large');
  });

  it('count alike whether the memory of what was compacted is given back or not', () => {
    const [swift, slow] = [new Subject(steps(60)), new Subject(steps(60))];
    for (const subject of [swift, slow]) subject.fill(40);
    const held = slow.state.snapshotChunks();
    const some = { kind: 'delete', key: bytes('k'), rangeEnd: bytes(name(10)) } as const;
    const reads = txn(readAll, { ...readAll, limit: 27 }, put('x'));
    const twice = txn(readAll, readAll, put('x'));
    for (const subject of [swift, slow]) {
      expect(subject.run(txn(some))).toBe('txn');
      expect(subject.run({ kind: 'compact', revision: 3 })).toBe('done');
      expect(subject.run(txn(put('y')))).toBe('txn');
      expect(subject.run({ kind: 'compact', revision: 4 })).toBe('done');
    }
    while (swift.state.scavenge(100));
    expect(slow.state.scavenge(100)).toBe(true);
    for (const subject of [swift, slow]) {
      expect(subject.run(reads)).toBe('txn');
      expect(subject.run(twice)).toBe('too-large');
    }
    held.return();
    for (const subject of [swift, slow]) expect(subject.run(reads)).toBe('txn');
    expect(slow.state.hashKv()).toEqual(swift.state.hashKv());
  });

  it('of comparisons count, and what their values are compared with', () => {
    const subject = new Subject(steps(100));
    subject.fill(40, 'v'.repeat(1024));
    const compare = (value: Uint8Array): Compare => ({
      ...everything,
      operator: '!=',
      target: 'value',
      value,
    });
    const of = (...list: Compare[]): Command => ({ ...txn(put('x')), compare: list }) as Command;
    const version: Compare = { ...everything, operator: '>', target: 'version', value: 0 };
    expect(subject.run(of(version, version))).toBe('txn');
    expect(subject.run(of(version, version, version))).toBe('too-large');
    expect(subject.run(of(compare(new Uint8Array(255))))).toBe('txn');
    expect(subject.run(of(compare(new Uint8Array(600))))).toBe('too-large');
  });

  it('count more when they are sorted, above all by their values', () => {
    const subject = new Subject(steps(400));
    subject.fill(40, 'v'.repeat(1024));
    const sorted = (sortTarget: 'key' | 'mod' | 'value'): string =>
      subject.run(txn({ ...readAll, sortOrder: 'descend', sortTarget, limit: 1 }));
    expect([sorted('key'), sorted('mod'), sorted('value')]).toEqual(['txn', 'txn', 'too-large']);
    subject.fill(80);
    expect([sorted('key'), sorted('mod')]).toEqual(['txn', 'too-large']);
  });

  it('may be deleted in great numbers', () => {
    const subject = new Subject();
    subject.fill(12_001);
    expect(subject.run(txn({ kind: 'delete', ...everything }))).toBe('too-large');
    expect(subject.run(txn({ kind: 'delete', key: bytes(name(0)) }))).toBe('txn');
    expect(subject.run({ kind: 'compact', revision: subject.state.revision })).toBe('done');
    expect(subject.run(txn(put('x')))).toBe('txn');
    expect(subject.run(txn({ kind: 'delete', key: bytes('x') }))).toBe('txn');
    expect(subject.run({ kind: 'compact', revision: subject.state.revision - 1 })).toBe('done');
    const most = { kind: 'delete', key: bytes('k'), rangeEnd: bytes('l') } as const;
    const result = subject.runFor(txn(most));
    expect(result).toMatchObject({ results: [{ deleted: 12_000 }] });
    const small = new Subject(steps(400));
    small.fill(101);
    const before = small.content();
    expect(small.run(txn({ kind: 'delete', ...everything }))).toBe('too-large');
    expect(small.content()).toEqual(before);
    expect(small.run(txn({ kind: 'delete', key: bytes(name(1)), rangeEnd: bytes('\0') }))).toBe(
      'txn',
    );
  });
});

describe('the answer of a transaction', () => {
  it('is bounded: ranges, and what puts and deletions tell of before', () => {
    const subject = new Subject();
    const value = new Uint8Array(1_000_000);
    for (let at = 0; at < 20; at += 1) subject.run(txn(put(name(at), value)));
    const before = subject.content();
    expect(subject.run(txn(put('x'), ...times(25, () => readAll)))).toBe('too-large');
    expect(subject.run(txn({ kind: 'delete', ...everything, prevKv: true }))).toBe('too-large');
    const puts = times(17, (at) => ({ ...put(name(at)), prevKv: true }) as Operation);
    expect(subject.run(txn(...puts))).toBe('too-large');
    expect(subject.content()).toEqual(before);
    expect(subject.run(txn(...puts.slice(1)))).toBe('txn');
    expect(subject.run(txn({ kind: 'range', ...everything, keysOnly: true }))).toBe('txn');
  });

  it('is bounded for what only reads as for what goes through the log', () => {
    const subject = new Subject(answers(1000));
    subject.fill(10);
    const read = (count: number) => ({
      compare: [],
      success: times(count, () => readAll),
      failure: [],
    });
    expect(outcomeOf(subject.state.readTxn(read(1)))).toBe('txn');
    expect(outcomeOf(subject.state.readTxn(read(2)))).toBe('too-large');
  });

  it('to a single read is bounded too', () => {
    const subject = new Subject({ rangeAnswerBytes: 1000, ...answers(1) });
    subject.fill(20, 'v');
    const { key, rangeEnd } = everything;
    expect(subject.state.range({ key, rangeEnd })).toEqual({ refusal: 'too-large' });
    expect(subject.state.range({ key, rangeEnd, limit: 13 })).toMatchObject({ count: 20 });
    expect(subject.state.range({ key, rangeEnd, countOnly: true })).toMatchObject({ count: 20 });
  });
});

describe('a single read', () => {
  it('may look at so many keys, sorted ones more often, and count without looking', () => {
    const subject = new Subject({ rangeSteps: 100 });
    subject.fill(101);
    const { key, rangeEnd } = everything;
    const of = (count: number) => ({ key, rangeEnd: bytes(name(count)) });
    const ok = { count: 101 };
    expect(subject.state.range({ key, rangeEnd })).toEqual({ refusal: 'too-large' });
    expect(subject.state.range({ key, rangeEnd, limit: 10 })).toMatchObject(ok);
    expect(subject.state.range({ key, rangeEnd, countOnly: true })).toMatchObject(ok);
    expect(subject.state.range(of(100))).toMatchObject({ count: 100 });
    const sorted = { sortOrder: 'ascend', sortTarget: 'value', limit: 1 } as const;
    expect(subject.state.range({ ...of(100), ...sorted })).toEqual({ refusal: 'too-large' });
    expect(subject.state.range({ ...of(16), ...sorted })).toMatchObject({ count: 16 });
  });
});

describe('the keys of a lease', () => {
  const grant = (id: bigint): Command => ({ kind: 'lease-grant', id, ttlMs: 1000 });

  it('are so many at most; one that has its lease may be put again, or go', () => {
    const subject = new Subject({ leaseKeys: 3 });
    for (const id of [7n, 8n]) subject.run(grant(id));
    expect(subject.run(txn(put('a', '', 7n), put('b', '', 7n)))).toBe('txn');
    const before = subject.content();
    expect(subject.run(txn(put('c', '', 7n), inside([put('d', '', 7n)])))).toBe('lease-full');
    expect(subject.content()).toEqual(before);
    expect(subject.run(txn(put('c', '', 7n), put('a', '', 7n)))).toBe('txn');
    expect(subject.run(txn(put('d', '', 7n)))).toBe('lease-full');
    expect(subject.run(txn(put('c', '', 8n), put('a', 'again', 7n)))).toBe('txn');
    expect(subject.run(txn(put('d', '', 7n), put('e')))).toBe('txn');
  });

  it('end with it, of leases that end together so many at once', () => {
    const subject = new Subject({ leaseKeys: 3 });
    const ids = [7n, 8n, 9n, 10n];
    for (const id of ids) {
      subject.run(grant(id));
      subject.run(txn(put(`a${id}`, '', id), ...(id === 8n ? [] : [put(`b${id}`, '', id)])));
    }
    const expire = (): readonly bigint[] => {
      const result = subject.runFor({ kind: 'lease-expire', ids, term: 1 });
      return result.kind === 'done' ? result.ids : [];
    };
    expect([expire(), expire(), expire(), expire()]).toEqual([[7n, 8n], [9n], [10n], []]);
    expect(subject.state.range({ ...everything, countOnly: true })).toMatchObject({ count: 0 });
  });
});

describe('a transaction that is too large', () => {
  it('changes nothing, whatever it had begun', () => {
    const subject = new Subject(answers(700));
    subject.run({ kind: 'lease-grant', id: 7n, ttlMs: 1000 });
    subject.run({ kind: 'lease-grant', id: 8n, ttlMs: 1000 });
    subject.fill(9, 'v');
    subject.run(txn(put('leased', 'v', 7n), put('other', 'v', 7n)));
    subject.run(txn({ kind: 'delete', key: bytes(name(3)) }));
    const before = subject.content();
    const snapshot = subject.state.snapshot();
    const writes: Operation[] = [
      put('leased', 'w', 8n),
      put('new', 'w', 7n),
      put(name(3), 'again'),
      inside([put('inner', 'w'), { kind: 'delete', key: bytes('other') }]),
      inside([{ kind: 'delete', key: bytes('inner') }]),
      { kind: 'delete', key: bytes(name(5)), rangeEnd: bytes(name(8)) },
      put(name(8), 'w'.repeat(200)),
    ];
    const result = subject.runFor(txn(...writes, readAll));
    expect(result).toEqual({
      kind: 'refused',
      revision: subject.state.revision,
      refusal: 'too-large',
    });
    expect(subject.content()).toEqual(before);
    const restored = new MetadataState();
    restored.restore(subject.state.snapshot());
    expect(restored.hashKv()).toEqual(subject.state.hashKv());
    expect(subject.state.snapshot().length).toBe(snapshot.length);
    expect(subject.run(txn(...writes))).toBe('txn');
    const twin = new Subject(answers(700));
    twin.state.restore(snapshot);
    twin.state.apply(txn(...writes), { index: 100, term: 1 });
    expect(twin.content()).toEqual(subject.content());
  });
});
