import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { MetadataState, decodeCommand, encodeCommand } from './index.js';
import type { Command, CommandResult, Compare, Operation, Revision, Txn } from './index.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 240_000 });

/** A key in the model: everything as text and numbers. */
interface Kv {
  key: string;
  value: string;
  create: number;
  mod: number;
  version: number;
  lease: number;
}
type Keys = Record<string, Kv>;
interface Event {
  kind: string;
  key: string;
  value: string;
  version: number;
  previous: Kv | null;
}

/**
 * The store a second time, as dumb as can be: a full copy of all keys per revision and a list of
 * events; compaction only moves a number.
 */
class NaiveStore {
  revision = 1;
  compacted = 0;
  states: Keys[] = [{}, {}];
  events: Event[][] = [[], []];
  leases = new Map<number, number>();

  get now(): Keys {
    return this.states[this.revision] ?? {};
  }

  apply(command: Command, place: { index: number; term: number }): unknown {
    switch (command.kind) {
      case 'txn':
        return this.txn(command);
      case 'lease-grant': {
        const wanted = Number(command.id);
        if (this.leases.has(wanted)) return this.refused('lease-exists');
        let id = wanted === 0 ? place.index : wanted;
        while (this.leases.has(id)) id += 1;
        this.leases.set(id, command.ttlMs);
        return { kind: 'lease', revision: this.revision, id };
      }
      case 'lease-revoke':
        if (!this.leases.has(Number(command.id))) return this.refused('lease-not-found');
        return this.end([Number(command.id)]);
      case 'lease-expire': {
        const ids = command.ids.map(Number).filter((id) => this.leases.has(id));
        return this.end(command.term === place.term ? ids : []);
      }
      case 'compact':
        if (command.revision > this.revision) return this.refused('future-revision');
        if (command.revision <= this.compacted) return this.refused('compacted');
        this.compacted = command.revision;
        return { kind: 'done', revision: this.revision, ids: [] };
    }
  }

  txn({ compare, success, failure }: Txn): unknown {
    for (const branch of [success, failure]) {
      const puts = branch.filter((op) => op.kind === 'put').map((op) => text(op.key));
      const twice = new Set(puts).size < puts.length;
      const deleted = branch.some(
        (op) => op.kind === 'delete' && puts.some((key) => inRange(key, op)),
      );
      if (twice || deleted) return this.refused('duplicate-key');
    }
    const succeeded = compare.every((item) => this.holds(item));
    const branch = succeeded ? success : failure;
    for (const op of branch) {
      if (op.kind === 'put' && op.lease !== 0n && !this.leases.has(Number(op.lease))) {
        return this.refused('lease-not-found');
      }
      if (op.kind === 'range' && (op.revision ?? 0) > this.revision) {
        return this.refused('future-revision');
      }
      if (op.kind === 'range' && op.revision !== 0 && (op.revision ?? 0) < this.compacted) {
        return this.refused('compacted');
      }
    }
    const keys = { ...this.now };
    const events: Event[] = [];
    const results = branch.map((op) => this.perform(op, keys, events));
    this.commit(keys, events);
    return { kind: 'txn', revision: this.revision, succeeded, results };
  }

  holds(item: Compare): boolean {
    const kv = this.now[text(item.key)];
    if (item.target === 'value' && kv === undefined) return false;
    const [is, wanted]: [number | string, number | string] =
      item.target === 'value'
        ? [kv?.value ?? '', text(item.value)]
        : [kv?.[item.target] ?? 0, Number(item.value)];
    switch (item.operator) {
      case '=':
        return is === wanted;
      case '!=':
        return is !== wanted;
      case '<':
        return is < wanted;
      case '>':
        return is > wanted;
    }
  }

  perform(op: Operation, keys: Keys, events: Event[]): unknown {
    const mod = this.revision + 1;
    if (op.kind === 'put') {
      const key = text(op.key);
      const previous = keys[key] ?? null;
      const version = (previous?.version ?? 0) + 1;
      const [value, lease] = [text(op.value), Number(op.lease)];
      keys[key] = { key, value, create: previous?.create ?? mod, mod, version, lease };
      events.push({ kind: 'put', key, value, version, previous });
      return { kind: 'put', previous };
    }
    if (op.kind === 'delete') {
      const gone = inOrder(keys).filter(({ key }) => inRange(key, op));
      for (const previous of gone) {
        delete keys[previous.key];
        events.push({ kind: 'delete', key: previous.key, value: '', version: 0, previous });
      }
      return { kind: 'delete', previous: gone };
    }
    const at = op.revision === 0 ? keys : (this.states[op.revision ?? 0] ?? {});
    const found = inOrder(at).filter(({ key }) => inRange(key, op));
    const limit = op.limit === 0 ? found.length : (op.limit ?? 0);
    return { kind: 'range', kvs: found.slice(0, limit), count: found.length };
  }

  end(ids: number[]): unknown {
    const keys = { ...this.now };
    const events: Event[] = [];
    for (const id of ids) {
      this.leases.delete(id);
      for (const kv of inOrder(keys).filter(({ lease }) => lease === id)) {
        delete keys[kv.key];
        events.push({ kind: 'delete', key: kv.key, value: '', version: 0, previous: kv });
      }
    }
    this.commit(keys, events);
    return { kind: 'done', revision: this.revision, ids };
  }

  commit(keys: Keys, events: Event[]): void {
    if (events.length === 0) return;
    this.revision += 1;
    this.states.push(keys);
    this.events.push(events);
  }

  refused(refusal: string): unknown {
    return { kind: 'refused', revision: this.revision, refusal };
  }
}

function inOrder(keys: Keys): Kv[] {
  return Object.values(keys).sort((a, b) => (a.key < b.key ? -1 : 1));
}

function inRange(key: string, range: { key: Uint8Array; rangeEnd?: Uint8Array }): boolean {
  if (range.rangeEnd === undefined) return key === text(range.key);
  const end = text(range.rangeEnd);
  return key >= text(range.key) && (end === '\0' || key < end);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** A result or event of the real store in the model's words. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) => {
      if (typeof item === 'bigint') return Number(item);
      return item instanceof Uint8Array ? text(item) : item;
    })
      .replaceAll('"createRevision"', '"create"')
      .replaceAll('"modRevision"', '"mod"'),
  );
}

const key = fc
  .constantFrom('a', 'ab', 'b', 'c', '\u00ff')
  .map((name) => Buffer.from(name, 'latin1'));
const rangeEnd = fc
  .constantFrom('\0', 'b', 'c', '\u00ff')
  .map((name) => Buffer.from(name, 'latin1'));
const lease = fc.integer({ min: 0, max: 4 }).map(BigInt);
const revision = fc.integer({ min: 0, max: 14 });
const value = fc.constantFrom('', 'x', 'yy').map((name) => Buffer.from(name));
const operator = fc.constantFrom('=', '!=', '<', '>' as const);
const range = fc.oneof(fc.record({ key }), fc.record({ key, rangeEnd }));
const compare: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({
    key,
    operator,
    target: fc.constantFrom('version', 'create', 'mod' as const),
    value: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({ key, operator, target: fc.constant('lease' as const), value: lease }),
  fc.record({ key, operator, target: fc.constant('value' as const), value }),
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), key, value, lease }) },
  range.map((item) => ({ kind: 'delete' as const, ...item })),
  fc
    .tuple(range, revision, fc.integer({ min: 0, max: 2 }))
    .map(([item, at, limit]) => ({ kind: 'range' as const, ...item, revision: at, limit })),
);
const txn: fc.Arbitrary<Txn> = fc.record({
  compare: fc.array(compare, { maxLength: 1 }),
  success: fc.array(operation, { maxLength: 3 }),
  failure: fc.array(operation, { maxLength: 2 }),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: txn.map((item) => ({ kind: 'txn' as const, ...item })) },
  fc.record({ kind: fc.constant('lease-grant' as const), id: lease, ttlMs: fc.constant(5000) }),
  fc.record({ kind: fc.constant('lease-revoke' as const), id: lease }),
  fc.record({
    kind: fc.constant('lease-expire' as const),
    ids: fc.uniqueArray(lease, { maxLength: 2 }),
    term: fc.constantFrom(1, 1, 2),
  }),
  fc.record({ kind: fc.constant('compact' as const), revision }),
);

function expectSame(state: MetadataState, model: NaiveStore): void {
  expect(state.revision).toBe(model.revision);
  expect(state.compactRevision).toBe(model.compacted);
  const oldest = Math.max(1, model.compacted);
  for (let at: Revision = oldest; at <= model.revision; at += 1) {
    const all = state.range({ key: Buffer.from('\0'), rangeEnd: Buffer.from('\0') }, at);
    expect(plain(all)).toMatchObject({ kvs: inOrder(model.states[at] ?? {}) });
  }
  const from = Math.max(2, model.compacted);
  const expected = model.events.slice(from).map((events, i) => ({
    revision: from + i,
    events: events.map(({ kind, key: name, value: held, version, previous }) => ({
      kind,
      kv: { key: name, value: held, version },
      previous: from + i === model.compacted ? null : previous,
    })),
  }));
  const events = plain(state.events(from, 1000));
  expect(events).toMatchObject(expected);
  expect(events).toHaveLength(expected.length);
  expect(plain(state.leases)).toEqual(
    [...model.leases].sort(([a], [b]) => a - b).map(([id, ttlMs]) => ({ id, ttlMs })),
  );
}

describe('the store against a naive one', () => {
  it('gives the same answers, states, events and, after restoring, the same bytes', () => {
    let commands = 0;
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(command, { minLength: 5, maxLength: 40 }), (list) => {
        let state = new MetadataState();
        const model = new NaiveStore();
        list.forEach((item, at) => {
          const place = { index: 100 + at, term: 1 };
          const result: CommandResult = state.apply(decodeCommand(encodeCommand(item)), place);
          expect(plain(result)).toEqual(model.apply(item, place));
          seen.add(result.kind === 'refused' ? result.refusal : result.kind);
          commands += 1;
          if (at % 7 === 3) {
            const bytes = state.snapshot();
            const restored = new MetadataState();
            restored.restore(bytes);
            const [hash, again] = [bytes, restored.snapshot()].map((content) =>
              createHash('sha256').update(content).digest('hex'),
            );
            expect(again).toBe(hash);
            expect(restored.sizeBytes).toBe(state.sizeBytes);
            state = restored;
          }
        });
        expectSame(state, model);
      }),
      { numRuns: 1000 },
    );
    expect(commands).toBeGreaterThan(10_000);
    expect([...seen].sort()).toEqual([
      'compacted',
      'done',
      'duplicate-key',
      'future-revision',
      'lease',
      'lease-exists',
      'lease-not-found',
      'txn',
    ]);
  });
});
