import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { DEFAULT_STATE_LIMITS, MetadataState, decodeCommand, encodeCommand } from './index.js';
import type { Command, CommandBody, EventQuery, Revision } from './index.js';
import { NaiveStore, inOrder, inRange, plain, readNaively, text } from './naive-store.fixture.js';
import { arbitraryCommand, arbitraryRange } from './arbitrary-command.fixture.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 240_000 });

const QUOTA = { total: 3600, user: 2900 };
/* Low enough to be met by a few of the transactions. */
const MOST = { all: 12, steps: 4, answerBytes: 100 };
const limits = {
  ...DEFAULT_STATE_LIMITS,
  allOperations: MOST.all,
  txn: { steps: MOST.steps, answerBytes: MOST.answerBytes },
  totalBytes: QUOTA.total,
  userBytes: QUOTA.user,
};
const all = { key: Buffer.from('\0'), rangeEnd: Buffer.from('\0') };

function expectSame(state: MetadataState, model: NaiveStore): void {
  expect(state.revision).toBe(model.revision);
  expect(state.compactRevision).toBe(model.compacted);
  expect(state.sizeBytes).toBe(model.size());
  expect(state.alarms.map(({ member, alarm }) => `${member} ${alarm}`).sort()).toEqual(
    [...model.alarms].sort(),
  );
  for (let at: Revision = Math.max(1, model.compacted); at <= model.revision; at += 1) {
    expect(plain(state.range(all, at))).toMatchObject({ kvs: inOrder(model.states[at] ?? {}) });
  }
  expect(plain(state.leases)).toEqual(
    [...model.leases]
      .sort(([a], [b]) => a - b)
      .map(([id, { ttl, left }]) => ({ id, ttlMs: ttl, remainingMs: left })),
  );
  expect(state.members).toEqual([...model.members.values()].sort((a, b) => (a.id < b.id ? -1 : 1)));
  for (const { id } of state.leases) {
    const keys = inOrder(model.now).filter(({ lease }) => lease === Number(id));
    expect(state.leaseKeys(id).map(text)).toEqual(keys.map(({ key }) => key));
  }
}

/** Reads a query page by page as a watch does, and compares with what the model's events say. */
function expectSameEvents(state: MetadataState, model: NaiveStore, query: EventQuery): void {
  if (query.from < model.compacted) {
    const page = state.readEvents(query, { changes: 1, events: 1 });
    expect(page).toEqual({ kind: 'compacted', compactRevision: model.compacted });
    return;
  }
  const found: unknown[] = [];
  for (let from = query.from; from <= state.revision;) {
    const page = state.readEvents({ ...query, from }, { changes: 2, events: 2 });
    if (page.kind !== 'events') throw new Error('compacted');
    expect(page.next).toBeGreaterThan(from);
    found.push(...page.revisions);
    from = page.next;
  }
  const expected = model.events.flatMap((events, revision) => {
    if (revision < query.from) return [];
    const own = events.filter(
      ({ kind, key }) => inRange(key, query) && !(kind === 'put' ? query.noPut : query.noDelete),
    );
    const told = own.map(({ kind, key, value, version }) => ({
      kind,
      kv: { key, value, version, mod: revision },
      /* A put that makes the key tells none, not even what the same revision deleted first. */
      previous:
        query.prevKv === true && revision > model.compacted && !(kind === 'put' && version === 1)
          ? (model.states[revision - 1]?.[key] ?? null)
          : null,
    }));
    return told.length === 0 ? [] : [{ revision, events: told }];
  });
  const told = plain(found) as unknown[];
  expect(told).toMatchObject(expected);
  expect(told).toHaveLength(expected.length);
}

describe('the store against a naive one', () => {
  it('gives the same answers, states, events, sizes and, after restoring, the same bytes', () => {
    let commands = 0;
    const seen = new Map<string, number>();
    const query = fc.record({
      range: arbitraryRange,
      from: fc.integer({ min: 1, max: 14 }),
      noPut: fc.boolean(),
      noDelete: fc.boolean(),
      prevKv: fc.boolean(),
    });
    const step = fc.record({ command: arbitraryCommand, query, term: fc.constantFrom(1, 1, 1, 2) });
    const first = {
      range: { key: all.key },
      from: 1,
      noPut: false,
      noDelete: false,
      prevKv: false,
    };
    const open = [
      { command: { kind: 'session-open', opener: 1n } as Command, query: first, term: 1 },
    ];
    fc.assert(
      fc.property(fc.array(step, { minLength: 12, maxLength: 60 }), (list) => {
        let state = new MetadataState(limits);
        const twin = new MetadataState(limits);
        const model = new NaiveStore(QUOTA, MOST);
        [...open, ...list].forEach(({ command, query: { range, ...rest }, term }, at) => {
          const place = { index: 1 + at, term };
          const bytes = encodeCommand(command);
          const result = state.apply(decodeCommand(bytes), place);
          expect(plain(result)).toEqual(model.apply(command, place));
          expect(twin.applyEncoded(bytes, place)).toEqual(result);
          const what = result.kind === 'refused' ? result.refusal : kindOf(command);
          seen.set(what, (seen.get(what) ?? 0) + 1);
          commands += 1;
          expectSameEvents(state, model, { ...range, ...rest });
          if (at % 7 !== 3) return;
          const snapshot = state.snapshot();
          const restored = new MetadataState(limits);
          restored.restore(snapshot);
          expect(Buffer.compare(restored.snapshot(), snapshot)).toBe(0);
          expect(Buffer.compare(twin.snapshot(), snapshot)).toBe(0);
          expect(restored.sizeBytes).toBe(state.sizeBytes);
          expect(restored.hashKv()).toEqual(twin.hashKv());
          state = restored;
        });
        expectSame(state, model);
        expect(Buffer.compare(state.snapshot(), twin.snapshot())).toBe(0);
      }),
      { numRuns: 700 },
    );
    expect(commands).toBeGreaterThan(10_000);
    const rare = [...seen].filter(([, times]) => times < 10);
    expect(rare).toEqual([]);
    expect([...seen.keys()].sort()).toEqual(REACHED);
  });

  it('reads ranges alike, however they are bounded, sorted and limited', () => {
    const put = fc.record({
      key: fc.stringMatching(/^[a-c]{1,3}$/),
      value: fc.stringMatching(/^[xy]{0,2}$/),
    });
    const options = fc.record({
      range: arbitraryRange,
      revision: fc.integer({ min: 0, max: 20 }),
      limit: fc.integer({ min: 0, max: 6 }),
      sortOrder: fc.constantFrom('none', 'ascend', 'descend' as const),
      sortTarget: fc.constantFrom('key', 'version', 'create', 'mod', 'value' as const),
      keysOnly: fc.boolean(),
      countOnly: fc.constantFrom(false, false, false, true),
      minModRevision: fc.constantFrom(0, 0, 5),
      maxModRevision: fc.constantFrom(0, 0, 12),
      minCreateRevision: fc.constantFrom(0, 0, 4),
      maxCreateRevision: fc.constantFrom(0, 0, 10),
    });
    fc.assert(
      fc.property(
        fc.array(put, { minLength: 20, maxLength: 30 }),
        fc.array(options),
        (puts, reads) => {
          const state = new MetadataState();
          const model = new NaiveStore({ total: 1e9, user: 1e9 });
          puts.forEach(({ key, value }, at) => {
            const success = [
              at % 4 === 3
                ? ({
                    kind: 'delete',
                    key: Buffer.from(key),
                    rangeEnd: Buffer.from(`${key}b`),
                  } as const)
                : ({
                    kind: 'put',
                    key: Buffer.from(key),
                    value: Buffer.from(value),
                    lease: 0n,
                  } as const),
            ];
            const command = { kind: 'txn', compare: [], success, failure: [] } as const;
            state.applyEncoded(encodeCommand(command), { index: at + 1, term: 1 });
            model.apply(command, { index: at + 1, term: 1 });
          });
          for (const { range, ...rest } of reads) {
            const request = { ...range, ...rest };
            if (request.revision > state.revision) continue;
            const at = request.revision === 0 ? model.revision : request.revision;
            expect(plain(state.range(request))).toEqual(
              readNaively(model.states[at] ?? {}, request).answer,
            );
          }
        },
      ),
      { numRuns: 700 },
    );
  });
});

function kindOf(command: CommandBody): string {
  const nested =
    command.kind === 'txn' &&
    [...command.success, ...command.failure].some((op) => op.kind === 'txn');
  return nested ? 'nested txn' : command.kind;
}

/** What random commands must have come to, ten times each at least. */
const REACHED = [
  'address-in-use',
  'alarm',
  'answer-forgotten',
  'compact',
  'compacted',
  'corrupt',
  'duplicate-key',
  'empty-key',
  'future-revision',
  'key-not-found',
  'last-voter',
  'lease-checkpoint',
  'lease-exists',
  'lease-expire',
  'lease-grant',
  'lease-not-found',
  'lease-provided',
  'lease-revoke',
  'member-exists',
  'member-not-found',
  'member-put',
  'member-remove',
  'member-reset',
  'nested txn',
  'no-space',
  'other-folder',
  'session-close',
  'session-not-found',
  'session-open',
  'too-large',
  'too-many-operations',
  'txn',
  'upgrade',
  'value-provided',
];
