import { assert } from '@pawl/kernel';
import { contains, fromByteKey, isSingleKey, toByteKey, toInterval } from './byte-key.js';
import type { ByteKey, Interval } from './byte-key.js';
import { Compactor } from './compactor.js';
import { KeyIndex } from './key-index.js';
import { KeyRecord, isDeletion, versionCost } from './key-record.js';
import { readRange } from './read-range.js';
import { RevisionLog } from './revision-log.js';
import type { Change } from './revision-log.js';
import type { TxnWork } from './txn-work.js';
import type {
  KeyEvent,
  KeyRange,
  KeyValue,
  LeaseId,
  RangeContent,
  RangeRequest,
  Revision,
  RevisionEvents,
} from './types.js';
import { NO_LEASE } from './types.js';

const NOTHING = new Uint8Array(0);

/** Changes that are told of, as {@link KeyStore.readEvents} reads them. */
export interface EventQuery extends KeyRange {
  /** First revision, not before the compaction revision. */
  readonly from: Revision;
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
  /** Tell what was there before. */
  readonly prevKv?: boolean;
}

/**
 * Keys with their history (multi-version concurrency control), and what each revision changed.
 * What is compacted is invisible at once, and counts no more; the memory is given back in steps.
 */
export class KeyStore {
  readonly #index = new KeyIndex();
  readonly #log: RevisionLog;
  readonly #compactor: Compactor;
  #revision: Revision;
  #compactRevision: Revision;
  #sizeBytes = 0;
  /** Of what was compacted and may not have been given back. */
  #compactedBytes = 0;
  /** Changes of the transaction under way; they become the next revision. */
  #pending: Change[] = [];
  /** Running total of {@link LogEntry.freedBytes}. */
  #freedBytes = 0;
  /** What the transaction under way makes free from its own revision on, and from the next. */
  #freesBytes = { now: 0, next: 0 };

  /** An empty store, to be filled by `restore` when it begins at later revisions. */
  constructor(at: { revision: Revision; compactRevision: Revision } = START) {
    const first = Math.max(2, at.compactRevision);
    this.#compactRevision = at.compactRevision;
    this.#revision = first - 1;
    this.#log = new RevisionLog(first);
    this.#compactor = new Compactor(this.#index, this.#log);
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** States and events before it are gone; 0 as long as nothing was compacted. */
  get compactRevision(): Revision {
    return this.#compactRevision;
  }

  /** Bytes of all versions that can still be read, and the overhead of each. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The same with what was compacted and takes memory yet, at most. */
  get keptBytes(): number {
    return this.#sizeBytes + this.#compactedBytes;
  }

  /** Oldest revision with events. */
  get firstRevision(): Revision {
    return Math.max(2, this.#compactRevision);
  }

  /** The revision that what is read now belongs to: the next one once something is pending. */
  get readRevision(): Revision {
    return this.#pending.length === 0 ? this.#revision : this.#revision + 1;
  }

  get index(): KeyIndex {
    return this.#index;
  }

  /** The key now, as the transaction under way sees it. */
  get(key: ByteKey): KeyValue | null {
    return this.#index.get(key)?.current ?? null;
  }

  /** Keys of a range at a revision that is kept; `revision` 0: now. `limit` 0: all. */
  range(request: RangeRequest, revision: Revision, limit: number, work: TxnWork): RangeContent {
    const source = {
      get: (key: ByteKey) => this.#index.get(key),
      visit: (interval: Interval, visit: (record: KeyRecord) => boolean) => {
        this.#visit(interval, work, visit);
      },
      countLive: (interval: Interval) => this.#index.countLive(interval),
    };
    return readRange(source, request, { revision, limit }, work);
  }

  put(key: ByteKey, value: Uint8Array, lease: LeaseId): KeyValue | null {
    let record = this.#index.get(key);
    if (record === undefined) {
      record = this.#compactor.takeBack(key) ?? new KeyRecord(key, fromByteKey(key));
      this.#index.insert(record);
    }
    const previous = record.current;
    const modRevision = this.#revision + 1;
    this.#add(record, {
      key: record.key,
      value,
      createRevision: previous?.createRevision ?? modRevision,
      modRevision,
      version: (previous?.version ?? 0) + 1,
      lease,
    });
    if (previous === null) this.#index.changeLive(key, 1);
    return previous;
  }

  /** Answers what was deleted, null when nothing was there. */
  delete(key: ByteKey): KeyValue | null {
    const record = this.#index.get(key);
    const previous = record?.current ?? null;
    if (record === undefined || previous === null) return null;
    this.#add(record, deletion(record.key, this.#revision + 1));
    this.#index.changeLive(key, -1);
    return previous;
  }

  /** Keys that are there now, in order. */
  liveKeys(range: KeyRange, work: TxnWork): ByteKey[] {
    if (isSingleKey(range)) {
      const key = toByteKey(range.key);
      return this.get(key) === null ? [] : [key];
    }
    const keys: ByteKey[] = [];
    this.#visit(toInterval(range), work, (record) => {
      if (record.current !== null) keys.push(record.id);
      return true;
    });
    return keys;
  }

  /**
   * Visits keys of an interval that are there, or were since the compaction, a step each. What takes
   * memory yet without being either differs between members, and does not count; whoever meets it
   * helps to give it back, so that nobody is kept by it again and again.
   */
  #visit(interval: Interval, work: TxnWork, visit: (record: KeyRecord) => boolean): void {
    let gone = 0;
    try {
      this.#index.visit(interval, (record) => {
        if (record.isGone(this.#compactRevision)) {
          gone += 1;
          return true;
        }
        work.step();
        return visit(record);
      });
    } finally {
      if (gone > 0) this.scavenge(gone);
    }
  }

  /** Undoes the transaction under way; `undone` is told of each change, the last first. */
  rollback(undone: (change: Change, before: KeyValue | null) => void): void {
    for (const change of this.#pending.reverse()) {
      const { record, kv } = change;
      record.undo();
      const before = record.current;
      this.#count(kv, before, -1);
      const was = before !== null;
      if (was === isDeletion(kv)) this.#index.changeLive(record.id, was ? 1 : -1);
      if (record.versions.length === 0) this.#index.remove(record.id);
      else this.#compactor.putAside(record);
      undone(change, before);
    }
    this.#pending = [];
  }

  /** Ends the transaction under way: what it changed becomes one revision, if it changed anything. */
  commit(): Revision {
    if (this.#pending.length > 0) this.#commit();
    return this.#revision;
  }

  #commit(): void {
    this.#revision += 1;
    assert(Number.isSafeInteger(this.#revision), 'revisions are safe integers');
    this.#freedBytes += this.#freesBytes.now;
    /* A copy takes no more room than it needs; what was grown by pushing does. */
    const changes = this.#pending.slice();
    this.#log.append(this.#revision, { changes, freedBytes: this.#freedBytes });
    this.#freesBytes = { now: this.#freesBytes.next, next: 0 };
    this.#pending = [];
  }

  /** Makes invisible what is needed only below `revision`. */
  compact(revision: Revision): void {
    assert(this.#pending.length === 0, 'no compaction inside a transaction');
    const freed = (at: Revision): number => this.#log.get(at)?.freedBytes ?? 0;
    const freedBytes = freed(revision) - freed(this.#compactRevision);
    this.#sizeBytes -= freedBytes;
    this.#compactedBytes += freedBytes;
    this.#compactRevision = revision;
    this.#compactor.begin(revision);
  }

  /** Gives back memory of what was compacted, looking at `changes` of it; answers if more is left. */
  scavenge(changes: number): boolean {
    const more = this.#compactor.step(changes);
    if (!more) this.#compactedBytes = 0;
    return more;
  }

  /** Whether somebody who reads in steps keeps all memory. */
  get pinned(): boolean {
    return this.#compactor.pinned;
  }

  /** Keeps all memory until the answered function is called: for those who read in steps. */
  pin(): () => void {
    return this.#compactor.pin();
  }

  /** The next records from a key on, in order, at most so many; for those who have it pinned. */
  records(from: ByteKey, most: number): readonly KeyRecord[] {
    return this.#compactor.records(from, most);
  }

  /** Changes of one revision that is kept. */
  changes(revision: Revision): readonly Change[] {
    return this.#log.get(revision)?.changes ?? [];
  }

  /** Everything from a revision on that is not compacted. */
  events(from: Revision, limit: number): readonly RevisionEvents[] {
    const found: RevisionEvents[] = [];
    const last = Math.min(this.#revision, from + limit - 1);
    for (let revision = Math.max(from, this.firstRevision); revision <= last; revision += 1) {
      const events = this.changes(revision).map((change) => this.#event(change, true));
      found.push({ revision, events });
    }
    return found;
  }

  /** What a query finds in one revision that is kept. */
  readEvents(query: EventQuery, revision: Revision): KeyEvent[] {
    const interval = toInterval(query);
    const found: KeyEvent[] = [];
    for (const change of this.changes(revision)) {
      if (isDeletion(change.kv) ? query.noDelete === true : query.noPut === true) continue;
      if (!contains(interval, change.record.id)) continue;
      found.push(this.#event(change, query.prevKv === true));
    }
    return found;
  }

  /** First revision from `from` on that changed a key; null when none did. */
  nextChange(key: Uint8Array, from: Revision): Revision | null {
    const record = this.#index.get(toByteKey(key));
    return record?.versions[record.firstAfter(from - 1)]?.modRevision ?? null;
  }

  /** Adds a version that a snapshot holds from before its first revision with events. */
  restoreBase(kv: KeyValue): void {
    const id = toByteKey(kv.key);
    const record = new KeyRecord(id, kv.key);
    this.#index.insert(record);
    record.add(kv);
    this.#index.changeLive(id, 1);
    this.#sizeBytes += versionCost(kv.key, kv.value);
  }

  /** Adds the next revision that a snapshot holds. */
  restoreRevision(kvs: readonly KeyValue[]): void {
    for (const kv of kvs) {
      const id = toByteKey(kv.key);
      let record = this.#index.get(id);
      if (record === undefined) {
        record = new KeyRecord(id, kv.key);
        this.#index.insert(record);
      }
      const was = record.current !== null;
      this.#add(record, kv.key === record.key ? kv : { ...kv, key: record.key });
      const is = !isDeletion(kv);
      if (was !== is) this.#index.changeLive(id, is ? 1 : -1);
    }
    this.#commit();
  }

  #event({ record, kv }: Change, withPrevious: boolean): KeyEvent {
    const before = kv.modRevision - 1;
    /* Also when the same revision deleted it first: that is told, with what was there. */
    const created = kv.createRevision === kv.modRevision;
    const wanted = withPrevious && !created && before >= this.#compactRevision;
    const previous = wanted ? record.at(before) : null;
    return { kind: isDeletion(kv) ? 'delete' : 'put', kv, previous };
  }

  #add(record: KeyRecord, kv: KeyValue): void {
    const replaced = record.current;
    record.add(kv);
    this.#pending.push({ record, kv });
    this.#count(kv, replaced, 1);
  }

  /** `by` 1: counts a version and what it replaces; -1: takes that back. */
  #count(kv: KeyValue, replaced: KeyValue | null, by: 1 | -1): void {
    const cost = by * versionCost(kv.key, kv.value);
    this.#sizeBytes += cost;
    if (isDeletion(kv)) this.#freesBytes.next += cost;
    if (replaced === null) return;
    const frees = by * versionCost(replaced.key, replaced.value);
    if (replaced.modRevision === kv.modRevision) this.#freesBytes.next += frees;
    else this.#freesBytes.now += frees;
  }
}

const START = { revision: 1, compactRevision: 0 };

function deletion(key: Uint8Array, modRevision: Revision): KeyValue {
  return { key, value: NOTHING, createRevision: 0, modRevision, version: 0, lease: NO_LEASE };
}
