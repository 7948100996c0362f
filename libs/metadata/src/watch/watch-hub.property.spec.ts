import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import type { WatchHandle, WatchSink } from '../coordination.port.js';
import { arbitraryCommand, arbitraryRange } from '../state/arbitrary-command.fixture.js';
import { DEFAULT_STATE_LIMITS, MetadataState } from '../state/index.js';
import type { Command, KeyRange, Revision, RevisionEvents } from '../state/index.js';
import { NaiveStore, inRange, plain } from '../state/naive-store.fixture.js';
import { WatchHub } from './watch-hub.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 240_000 });

const QUOTA = { total: 1_000_000, user: 1_000_000 };
const limits = { ...DEFAULT_STATE_LIMITS, totalBytes: QUOTA.total, userBytes: QUOTA.user };

/** So small that turns end in the midst of a revision, and history goes that nobody kept. */
interface Bounds {
  readonly toldPerTurn?: number;
  readonly readAhead?: number;
}

/** A sink that checks each revision against the model as it comes. */
class CheckedSink implements WatchSink {
  handle: WatchHandle | null = null;
  refusing = false;
  /** Whether there was a reason to fall behind. */
  excused: boolean;
  ended: 'open' | 'closed' | 'compacted' = 'open';
  /** What the handle said last: it never goes back. */
  reached: Revision = 0;
  /** First revision that may be told. */
  next: Revision;

  constructor(
    readonly model: NaiveStore,
    readonly range: KeyRange,
    from: Revision,
    { readAhead }: Bounds,
  ) {
    this.next = from === 0 ? model.revision + 1 : from;
    this.excused = this.next <= model.revision || readAhead !== undefined;
  }

  /** What the model tells of one revision to this watch. */
  expected(revision: Revision) {
    return (this.model.events[revision] ?? []).filter(({ key }) => inRange(key, this.range));
  }

  events({ revision, events }: RevisionEvents): boolean {
    expect(this.ended).toBe('open');
    expect(revision).toBeGreaterThanOrEqual(this.next);
    for (let at = this.next; at < revision; at += 1) expect(this.expected(at)).toEqual([]);
    this.next = revision;
    if (this.refusing) {
      this.excused = true;
      return false;
    }
    expect(plain(events)).toMatchObject(
      this.expected(revision).map(({ kind, key, value, version }) => ({
        kind,
        kv: { key, value, version, mod: revision },
      })),
    );
    const told = plain(events) as { kv: { key: string; create: Revision }; previous: unknown }[];
    for (const { kv, previous } of told) {
      const known = previous !== null || revision - 1 >= this.model.compacted;
      const was = this.model.states[revision - 1]?.[kv.key] ?? null;
      // Also when the revision deleted it first.
      const before = kv.create === revision ? null : was;
      if (known) expect(previous).toEqual(before);
    }
    this.next = revision + 1;
    return true;
  }

  compacted(compactRevision: Revision): void {
    expect([this.ended, this.excused]).toEqual(['open', true]);
    expect(compactRevision).toBe(this.model.compacted);
    expect(this.handle?.next).toBeLessThan(compactRevision);
    this.ended = 'compacted';
  }

  failed(): void {
    expect.unreachable();
  }
}

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: arbitraryCommand.map((command) => ({ kind: 'apply' as const, command })),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      command: fc.record({
        kind: fc.constant('compact' as const),
        revision: fc.constantFrom(2, 3, 4, 6, 9, 14),
      }),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'turn' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('open' as const),
      range: arbitraryRange,
      from: fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5, 7, 9, 12, 20),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('refuse', 'resume', 'resume', 'close' as const),
      at: fc.nat(),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const bounds = fc.constantFrom<Bounds>(
  {},
  { toldPerTurn: 2 },
  { readAhead: 1 },
  { toldPerTurn: 1, readAhead: 2 },
);

class Run {
  readonly state = new MetadataState(limits);
  readonly model = new NaiveStore(QUOTA);
  readonly sinks: CheckedSink[] = [];
  readonly hub: WatchHub;
  #tasks: (() => void)[] = [];
  #index = 0;

  constructor(readonly bounds: Bounds) {
    const defer = (task: () => void): unknown => this.#tasks.push(task);
    this.hub = new WatchHub(this.state, { maxWatches: 100, defer, ...bounds });
  }

  do(one: Step): void {
    if (one.kind === 'apply') this.#apply(one.command);
    else if (one.kind === 'turn') this.turn();
    else if (one.kind === 'open') this.#open(one.range, one.from);
    else this.#change(one.kind, this.sinks[one.at % Math.max(1, this.sinks.length)]);
    for (const sink of this.sinks) {
      const next = sink.handle?.next ?? 0;
      expect(next).toBeGreaterThanOrEqual(sink.reached);
      sink.reached = next;
    }
  }

  #apply(command: Command): void {
    this.#index += 1;
    const place = { index: this.#index, term: 1 };
    expect(plain(this.state.apply(command, place))).toEqual(
      plain(this.model.apply(command, place)),
    );
    this.hub.applied();
  }

  #open(range: KeyRange, from: Revision): void {
    const sink = new CheckedSink(this.model, range, from, this.bounds);
    sink.handle = this.hub.observe({ ...range, fromRevision: from }, sink);
    this.sinks.push(sink);
  }

  #change(how: 'refuse' | 'resume' | 'close', sink: CheckedSink | undefined): void {
    if (sink === undefined || sink.ended !== 'open') return;
    if (how === 'close') {
      sink.ended = 'closed';
      sink.handle?.close();
      return;
    }
    sink.refusing = how === 'refuse';
    if (how === 'resume') sink.handle?.resume();
  }

  turn(): boolean {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
    return tasks.length > 0;
  }

  /** Lets everybody catch up: then all was told. */
  finish(): Record<string, number> {
    for (const sink of this.sinks) this.#change('resume', sink);
    while (this.turn());
    const counts: Record<string, number> = { open: 0, closed: 0, compacted: 0, excused: 0 };
    for (const sink of this.sinks) {
      counts[sink.ended] = (counts[sink.ended] ?? 0) + 1;
      if (sink.ended !== 'open') continue;
      if (sink.excused) counts.excused = (counts.excused ?? 0) + 1;
      for (let at = sink.next; at <= this.model.revision; at += 1) {
        expect(sink.expected(at)).toEqual([]);
      }
      expect(sink.handle?.next).toBe(Math.max(sink.next, this.model.revision + 1));
    }
    expect(this.hub.size).toBe(counts.open);
    return counts;
  }
}

it('tells every watch what a naive model says, once, in order, without a gap', () => {
  const seen: Record<string, number> = {};
  fc.assert(
    fc.property(bounds, fc.array(step, { maxLength: 80, size: 'max' }), (limited, steps) => {
      const run = new Run(limited);
      for (const one of steps) run.do(one);
      for (const [what, count] of Object.entries(run.finish())) {
        seen[what] = (seen[what] ?? 0) + count;
      }
    }),
    { numRuns: 1000 },
  );
  for (const what of ['open', 'closed', 'compacted', 'excused']) {
    expect([what, (seen[what] ?? 0) > 50]).toEqual([what, true]);
  }
});
