import { isDeepStrictEqual } from 'node:util';
import { contains, HistoryModel } from './history-model.js';
import type {
  HistoryEvent,
  HistoryKv,
  HistoryRange,
  HistoryRevision,
  Violation,
} from './history.js';

/** One message of a watch, as it came. */
export type WatchMessage =
  | {
      readonly kind: 'events';
      readonly events: readonly WatchedEvent[];
      /** More of the same revision follows in the next message. */
      readonly fragment?: boolean;
    }
  /** Everything up to this revision has been told. */
  | { readonly kind: 'progress'; readonly revision: number }
  /** The watch ended because what comes next was compacted away. */
  | {
      readonly kind: 'compacted';
      readonly compactRevision: number;
      /** It had been told everything there was, and taken all since. */
      readonly keptUp?: boolean;
    };

export type WatchedEvent = HistoryEvent & {
  /** Only when previous values were asked for; null: there was none. */
  readonly previous?: HistoryKv | null;
};

/** One watch from its creation to its end, whatever ended it. */
export interface WatchRecord {
  readonly name: string;
  readonly range: HistoryRange;
  /** The first revision that it must tell of. */
  readonly from: number;
  /** It goes on where another broke off. */
  readonly isResumed?: boolean;
  /** Kinds of events that it is not told of. */
  readonly without?: readonly HistoryEvent['kind'][];
  readonly prevKv?: boolean;
  readonly messages: readonly WatchMessage[];
  /** It was whole until then: everything up to this revision must have come. */
  readonly upTo?: number;
}

export interface WatchHistory {
  readonly watches: readonly WatchRecord[];
  /** Everything that was ever written, from revision 2 on. */
  readonly written: readonly HistoryRevision[];
  /** The highest revision that anybody asked to compact to; 0: nobody did. */
  readonly compacted?: number;
}

/**
 * The promises of watches: ordered (W1), unique (W2), reliable (W3), atomic (W4), resumable (W5),
 * progress never ahead of what was told (W6), a compacted start told and never passed over, and no
 * watch that kept up ended for it (W7), filters and previous values right (W8).
 */
export function checkWatches({ watches, written, compacted = 0 }: WatchHistory): Violation[] {
  const model = new HistoryModel(written);
  return watches.flatMap((watch) => new WatchChecker(watch, model, compacted).check());
}

class WatchChecker {
  private readonly violations: Violation[] = [];
  /** The next revision that may be told. */
  private next: number;
  /** Keys that were told of, by revision. */
  private readonly told = new Map<number, Set<string>>();
  /** Of a message whose fragments are still coming. */
  private pending: WatchedEvent[] = [];
  private isOpen = true;

  constructor(
    private readonly watch: WatchRecord,
    private readonly model: HistoryModel,
    private readonly compacted: number,
  ) {
    this.next = watch.from;
  }

  check(): Violation[] {
    for (const message of this.watch.messages) {
      if (!this.isOpen) this.broken('W7', `${message.kind} after its end`);
      this.take(message);
    }
    const { upTo } = this.watch;
    if (upTo !== undefined && this.isOpen) {
      if (this.pending.length > 0) this.broken('W4', 'the last fragments never came');
      this.expectNothing(upTo, 'W3', 'at its end');
    }
    return this.violations;
  }

  private take(message: WatchMessage): void {
    if (message.kind === 'events') {
      this.pending.push(...message.events);
      if (message.fragment === true) return;
      for (const [revision, events] of byRevision(this.pending))
        this.takeRevision(revision, events);
      this.pending = [];
      return;
    }
    if (this.pending.length > 0) this.broken('W4', `${message.kind} between fragments`);
    if (message.kind === 'progress') this.takeProgress(message.revision);
    else this.takeEnd(message.compactRevision, message.keptUp === true);
  }

  private takeProgress(revision: number): void {
    if (revision > this.model.last) this.broken('W6', `progress ${revision} beyond the last`);
    this.expectNothing(revision, 'W6', `before its progress ${revision}`);
    this.next = Math.max(this.next, revision + 1);
  }

  private takeEnd(compactRevision: number, keptUp: boolean): void {
    this.isOpen = false;
    if (keptUp) {
      this.broken('W7', `ended for the compaction to ${compactRevision}, though it kept up`);
    } else if (compactRevision > this.compacted) {
      this.broken('W7', `ended for a compaction to ${compactRevision} that nobody asked for`);
    } else if (this.next >= compactRevision) {
      this.broken('W7', `ended for the compaction to ${compactRevision}, being at ${this.next}`);
    }
  }

  private takeRevision(revision: number, events: readonly WatchedEvent[]): void {
    const told = this.told.get(revision) ?? new Set();
    const isAgain = told.size > 0;
    for (const { kv } of events) {
      if (told.has(kv.key)) this.broken('W2', `told twice of ${kv.key} at ${revision}`);
      told.add(kv.key);
    }
    this.told.set(revision, told);
    if (isAgain) {
      this.broken('W4', `revision ${revision} came in more than one message`);
    } else if (revision < this.watch.from) {
      this.broken('W5', `told of ${revision}, before its start ${this.watch.from}`);
    } else if (revision < this.next) {
      this.broken('W1', `told of revision ${revision} when at ${this.next}`);
    } else {
      const isFirst = this.watch.isResumed === true && this.next === this.watch.from;
      this.expectNothing(revision - 1, isFirst ? 'W5' : 'W3', `when told of ${revision}`);
      this.next = revision + 1;
      this.compare(revision, events);
    }
  }

  private compare(revision: number, events: readonly WatchedEvent[]): void {
    const told = events.map(({ kind, kv }) => ({ kind, kv }));
    const expected = this.expected(revision);
    if (isDeepStrictEqual(told, expected)) {
      for (const event of events) this.checkPrevious(event);
      return;
    }
    const text = `revision ${revision} told as ${JSON.stringify(told)}`;
    this.broken(this.differenceOf(told, expected), `${text}, not ${JSON.stringify(expected)}`);
  }

  private differenceOf(
    told: readonly HistoryEvent[],
    expected: readonly HistoryEvent[],
  ): Violation['rule'] {
    const isIn = (list: readonly HistoryEvent[]) => (event: HistoryEvent) =>
      list.some((other) => isDeepStrictEqual(other, event));
    const isReal = told.every(isIn(this.model.eventsOf(told[0]?.kv.modRevision ?? 0)));
    if (!isReal) return 'W3';
    if (!told.every(isIn(expected))) return 'W8';
    return told.length === expected.length ? 'W1' : 'W4';
  }

  private checkPrevious({ kv, previous }: WatchedEvent): void {
    const before = kv.modRevision - 1;
    if (this.watch.prevKv !== true) {
      if (previous !== undefined) this.broken('W8', `a previous value of ${kv.key} unasked`);
      return;
    }
    // A key that a revision creates had nothing before, also when that revision deleted it first.
    const created = kv.createRevision === kv.modRevision;
    const expected = created ? null : this.model.get(kv.key, before);
    const mayBeGone = previous === null && before < this.compacted;
    if (mayBeGone || isDeepStrictEqual(previous, expected)) return;
    const text = `${kv.key} before ${kv.modRevision} told as ${JSON.stringify(previous)}`;
    this.broken('W8', `${text}, not ${JSON.stringify(expected)}`);
  }

  /** Breaks `rule` when something up to `revision` should have been told by now. */
  private expectNothing(revision: number, rule: Violation['rule'], when: string): void {
    for (let missing = this.next; missing <= revision; missing += 1) {
      if (this.expected(missing).length === 0) continue;
      this.broken(rule, `revision ${missing} had not been told ${when}`);
      return;
    }
  }

  private expected(revision: number): HistoryEvent[] {
    const { range, without = [] } = this.watch;
    return this.model
      .eventsOf(revision)
      .filter(({ kind, kv }) => contains(range, kv.key) && !without.includes(kind));
  }

  private broken(rule: Violation['rule'], text: string): void {
    this.violations.push({ rule, text: `watch ${this.watch.name}: ${text}` });
  }
}

/** Runs of events of one revision, in the order in which they came. */
function byRevision(events: readonly WatchedEvent[]): [number, WatchedEvent[]][] {
  const runs: [number, WatchedEvent[]][] = [];
  for (const event of events) {
    const run = runs.at(-1);
    if (run?.[0] === event.kv.modRevision) run[1].push(event);
    else runs.push([event.kv.modRevision, [event]]);
  }
  return runs;
}
