import type {
  HistoryAnswer,
  HistoryCompare,
  HistoryEvent,
  HistoryKv,
  HistoryOperation,
  HistoryRange,
  HistoryRevision,
  HistoryTxn,
  Violation,
} from './history.js';

/** The first revision that a store writes; 1 is the empty store. */
export const FIRST_REVISION = 2;

/** Something whose state can be read by key and in the order of keys. */
interface KeyedState {
  get(key: string): HistoryKv | null;
  range(range: HistoryRange): HistoryKv[];
}

/**
 * Every state that a store went through, rebuilt from what each revision changed. Naive on purpose:
 * it shares no code with the store it judges.
 */
export class HistoryModel {
  /** Versions of each key, oldest first; null once deleted. */
  private readonly versions = new Map<string, { at: number; kv: HistoryKv | null }[]>();
  private readonly byRevision = new Map<number, HistoryRevision>();
  private readonly keys: string[] = [];
  /** The newest revision. */
  readonly last: number;
  /** What the written revisions themselves break. */
  readonly violations: Violation[] = [];

  /** `written`: every revision from {@link FIRST_REVISION} on, in order. */
  constructor(written: readonly HistoryRevision[]) {
    let last = FIRST_REVISION - 1;
    for (const revision of written) {
      if (revision.revision !== last + 1) {
        this.broken('A2', `revision ${revision.revision} follows ${last}`);
      }
      last = revision.revision;
      this.byRevision.set(last, revision);
      this.take(revision);
    }
    this.last = last;
    this.keys.push(...[...this.versions.keys()].sort());
  }

  eventsOf(revision: number): readonly HistoryEvent[] {
    return this.byRevision.get(revision)?.events ?? [];
  }

  /** The key as `revision` left it. */
  get(key: string, revision: number): HistoryKv | null {
    const versions = this.versions.get(key) ?? [];
    let [low, high] = [0, versions.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((versions[middle]?.at ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return versions[low - 1]?.kv ?? null;
  }

  range(range: HistoryRange, revision: number): HistoryKv[] {
    if (range.rangeEnd === undefined) return present([this.get(range.key, revision)]);
    const inside = this.keys.filter((key) => contains(range, key));
    return present(inside.map((key) => this.get(key, revision)));
  }

  stateAt(revision: number): KeyedState {
    return {
      get: (key) => this.get(key, revision),
      range: (range) => this.range(range, revision),
    };
  }

  /** Keys of the lease as `revision` left them. */
  keysOfLease(lease: string, revision: number): string[] {
    return this.keys.filter((key) => this.get(key, revision)?.lease === lease);
  }

  private take({ revision, events }: HistoryRevision): void {
    if (events.length === 0) this.broken('A2', `revision ${revision} changed nothing`);
    const seen = new Set<string>();
    for (const { kind, kv } of events) {
      if (seen.has(kv.key)) this.broken('A2', `revision ${revision} changed ${kv.key} twice`);
      seen.add(kv.key);
      const before = this.get(kv.key, revision - 1);
      const wrong =
        kind === 'put' ? wrongPut(kv, before, revision) : wrongDelete(kv, before, revision);
      if (wrong !== null) this.broken('A1', `revision ${revision}, ${kind} ${kv.key}: ${wrong}`);
      const versions = this.versions.get(kv.key) ?? [];
      versions.push({ at: revision, kv: kind === 'put' ? kv : null });
      this.versions.set(kv.key, versions);
    }
  }

  private broken(rule: Violation['rule'], text: string): void {
    this.violations.push({ rule, text });
  }
}

function wrongPut(kv: HistoryKv, before: HistoryKv | null, revision: number): string | null {
  const create = before?.createRevision ?? revision;
  const version = (before?.version ?? 0) + 1;
  if (kv.modRevision !== revision) return `mod revision ${kv.modRevision}`;
  if (kv.createRevision !== create) return `create revision ${kv.createRevision}, not ${create}`;
  return kv.version === version ? null : `version ${kv.version}, not ${version}`;
}

function wrongDelete(kv: HistoryKv, before: HistoryKv | null, revision: number): string | null {
  if (before === null) return 'there was no such key';
  return kv.modRevision === revision ? null : `mod revision ${kv.modRevision}`;
}

/** What an operation answers and changes. */
export interface Execution {
  readonly answer: HistoryAnswer;
  readonly events: readonly HistoryEvent[];
}

/** Carries an operation out on `state`; what it writes bears `revision`. */
export function execute(
  operation: HistoryOperation,
  state: KeyedState,
  revision: number,
): Execution {
  const written = new Map<string, HistoryKv | null>();
  const events: HistoryEvent[] = [];
  const over = overlay(state, written);
  const answer = perform(operation, over, {
    put: (key, value, lease) => {
      const before = over.get(key);
      const kv: HistoryKv = {
        key,
        value,
        createRevision: before?.createRevision ?? revision,
        modRevision: revision,
        version: (before?.version ?? 0) + 1,
        lease,
      };
      written.set(key, kv);
      events.push({ kind: 'put', kv });
    },
    remove: (key) => {
      written.set(key, null);
      events.push({ kind: 'delete', kv: tombstone(key, revision) });
    },
    // Comparisons, those of transactions inside too, see the state before the outermost.
    compare: (compare) => holds(compare, state),
  });
  return { answer, events };
}

interface Effects {
  put(key: string, value: string, lease: string): void;
  remove(key: string): void;
  compare(compare: HistoryCompare): boolean;
}

function perform(operation: HistoryOperation, state: KeyedState, effects: Effects): HistoryAnswer {
  switch (operation.kind) {
    case 'put': {
      const previous = state.get(operation.key);
      effects.put(operation.key, operation.value, operation.lease ?? '0');
      return operation.prevKv === true ? { kind: 'put', previous } : { kind: 'put' };
    }
    case 'delete': {
      const previous = state.range(operation);
      for (const { key } of previous) effects.remove(key);
      const deleted = previous.length;
      return operation.prevKv === true
        ? { kind: 'delete', deleted, previous }
        : { kind: 'delete', deleted };
    }
    case 'range': {
      const found = state.range(operation);
      const limit = operation.limit ?? 0;
      const kvs = limit === 0 ? found : found.slice(0, limit);
      return { kind: 'range', kvs, count: found.length, more: kvs.length < found.length };
    }
    case 'txn':
      return performTxn(operation, state, effects);
  }
}

function performTxn(txn: HistoryTxn, state: KeyedState, effects: Effects): HistoryAnswer {
  const succeeded = txn.compare.every((compare) => effects.compare(compare));
  const branch = succeeded ? txn.success : txn.failure;
  const results = branch.map((operation) => perform(operation, state, effects));
  return { kind: 'txn', succeeded, results };
}

function overlay(under: KeyedState, written: ReadonlyMap<string, HistoryKv | null>): KeyedState {
  const get = (key: string) => {
    const kv = written.get(key);
    return kv === undefined ? under.get(key) : kv;
  };
  return {
    get,
    range: (range) => {
      const untouched = under.range(range).filter(({ key }) => !written.has(key));
      const touched = [...written.keys()].filter((key) => contains(range, key)).map(get);
      return [...untouched, ...present(touched)].sort((a, b) => (a.key < b.key ? -1 : 1));
    },
  };
}

/** A range without keys compares as one key of zeros, and fails every comparison of a value. */
function holds(compare: HistoryCompare, state: KeyedState): boolean {
  const found = state.range(compare);
  if (found.length > 0) return found.every((kv) => holdsFor(compare, kv));
  return compare.target !== 'value' && holdsFor(compare, tombstone(compare.key, 0));
}

function holdsFor({ target, operator, value }: HistoryCompare, kv: HistoryKv): boolean {
  const actual = {
    version: kv.version,
    create: kv.createRevision,
    mod: kv.modRevision,
    value: kv.value,
  }[target];
  switch (operator) {
    case '=':
      return actual === value;
    case '!=':
      return actual !== value;
    case '<':
      return actual < value;
    case '>':
      return actual > value;
  }
}

export function contains({ key: from, rangeEnd }: HistoryRange, key: string): boolean {
  if (rangeEnd === undefined) return key === from;
  return key >= from && (rangeEnd === '\0' || key < rangeEnd);
}

export function tombstone(key: string, revision: number): HistoryKv {
  return { key, value: '', createRevision: 0, modRevision: revision, version: 0, lease: '0' };
}

function present(kvs: readonly (HistoryKv | null)[]): HistoryKv[] {
  return kvs.filter((kv) => kv !== null);
}
