import { assert } from '@pawl/kernel';
import { fromByteKey, toInterval } from './byte-key.js';
import type { ByteKey, Interval } from './byte-key.js';
import { EventLog } from './event-log.js';
import { KeyHistory } from './key-history.js';
import type { KeyVersion } from './key-history.js';
import { SortedMap } from './sorted-map.js';
import type {
  KeyEvent,
  KeyRange,
  KeyValue,
  LeaseId,
  RangeContent,
  Revision,
  RevisionEvents,
} from './types.js';
import { NO_LEASE } from './types.js';

/** What one kept version counts beside its bytes. */
const VERSION_OVERHEAD_BYTES = 64;
const NOTHING = new Uint8Array(0);

export function putCost(key: Uint8Array, value: Uint8Array): number {
  return key.length + value.length + VERSION_OVERHEAD_BYTES;
}

/** Keys with their history (multi-version concurrency control), and what each revision changed. */
export class KeyStore {
  readonly #keys = new SortedMap<KeyHistory>();
  readonly #log = new EventLog();
  #revision: Revision = 1;
  #compactRevision: Revision = 0;
  #sizeBytes = 0;
  /** Events of the transaction under way; they become the next revision. */
  #pending: KeyEvent[] = [];

  get revision(): Revision {
    return this.#revision;
  }

  /** States and events before it are gone; 0 as long as nothing was compacted. */
  get compactRevision(): Revision {
    return this.#compactRevision;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The key now, as the transaction under way sees it. */
  get(key: ByteKey): KeyValue | null {
    return this.#keys.get(key)?.current ?? null;
  }

  /** Keys of a range at a revision that is kept; `revision` 0: now. `limit` 0: all. */
  range(range: KeyRange, revision: Revision, limit: number): RangeContent {
    const kvs: KeyValue[] = [];
    let count = 0;
    for (const [, history] of this.#histories(range)) {
      const kv = revision === 0 ? history.current : history.at(revision);
      if (kv === null) continue;
      count += 1;
      if (limit === 0 || kvs.length < limit) kvs.push(kv);
    }
    return { kvs, count };
  }

  put(key: ByteKey, value: Uint8Array, lease: LeaseId): KeyValue | null {
    const previous = this.get(key);
    const modRevision = this.#revision + 1;
    const kv: KeyValue = {
      key: previous?.key ?? fromByteKey(key),
      value,
      createRevision: previous?.createRevision ?? modRevision,
      modRevision,
      version: (previous?.version ?? 0) + 1,
      lease,
    };
    this.#add(key, { kind: 'put', kv, previous });
    return previous;
  }

  /** Answers what was deleted, null when nothing was there. */
  delete(key: ByteKey): KeyValue | null {
    const previous = this.get(key);
    if (previous === null) return null;
    const kv: KeyValue = {
      key: previous.key,
      value: NOTHING,
      createRevision: 0,
      modRevision: this.#revision + 1,
      version: 0,
      lease: NO_LEASE,
    };
    this.#add(key, { kind: 'delete', kv, previous });
    return previous;
  }

  /** Keys that are there now, in order. */
  liveKeys(range: KeyRange): ByteKey[] {
    const keys: ByteKey[] = [];
    for (const [key, history] of this.#histories(range)) {
      if (history.current !== null) keys.push(key);
    }
    return keys;
  }

  /** Ends the transaction under way: what it changed becomes one revision, if it changed anything. */
  commit(): Revision {
    if (this.#pending.length === 0) return this.#revision;
    this.#revision += 1;
    assert(Number.isSafeInteger(this.#revision), 'revisions are safe integers');
    this.#log.append(this.#revision, this.#pending);
    this.#pending = [];
    return this.#revision;
  }

  /** Forgets history that is needed only below `revision`. */
  compact(revision: Revision): void {
    assert(this.#pending.length === 0, 'no compaction inside a transaction');
    this.#compactRevision = revision;
    for (const [key, history] of [...this.#keys.entries()]) {
      for (const { kv } of history.compact(revision)) {
        this.#sizeBytes -= putCost(kv.key, kv.value);
      }
      if (history.versions.length === 0) this.#keys.delete(key);
    }
    this.#log.compact(revision);
  }

  /** From a revision that is not compacted. */
  events(from: Revision, limit: number): readonly RevisionEvents[] {
    return this.#log.from(from, limit);
  }

  /** Every key with its kept versions, in order. */
  *histories(): Generator<[ByteKey, readonly KeyVersion[]]> {
    for (const [key, history] of this.#keys.entries()) yield [key, history.versions];
  }

  /** Fills an empty store with what `histories` gave. */
  restore(
    at: { revision: Revision; compactRevision: Revision },
    histories: Iterable<[ByteKey, readonly KeyVersion[]]>,
  ): void {
    assert(this.#keys.size === 0, 'only an empty store is filled');
    this.#revision = at.revision;
    this.#compactRevision = at.compactRevision;
    for (const [key, versions] of histories) {
      this.#keys.set(key, new KeyHistory(versions));
      for (const { kv } of versions) this.#sizeBytes += putCost(kv.key, kv.value);
    }
    this.#restoreLog();
  }

  #restoreLog(): void {
    const kept = Math.max(this.#compactRevision, 2);
    const byRevision = new Map<Revision, { position: number; event: KeyEvent }[]>();
    for (const [, history] of this.#keys.entries()) {
      history.versions.forEach(({ kv, position }, i) => {
        if (kv.modRevision < kept) return;
        const before = history.versions[i - 1]?.kv ?? null;
        const known =
          before !== null && before.version > 0 && kv.modRevision > this.#compactRevision;
        const event: KeyEvent = {
          kind: kv.version === 0 ? 'delete' : 'put',
          kv,
          previous: known ? before : null,
        };
        const events = byRevision.get(kv.modRevision) ?? [];
        events.push({ position, event });
        byRevision.set(kv.modRevision, events);
      });
    }
    for (let revision = kept; revision <= this.#revision; revision += 1) {
      const events = byRevision.get(revision) ?? [];
      events.sort((a, b) => a.position - b.position);
      this.#log.append(
        revision,
        events.map(({ event }) => event),
      );
    }
  }

  #add(key: ByteKey, event: KeyEvent): void {
    const history = this.#keys.get(key) ?? new KeyHistory();
    history.add({ kv: event.kv, position: this.#pending.length });
    this.#keys.set(key, history);
    this.#pending.push(event);
    this.#sizeBytes += putCost(event.kv.key, event.kv.value);
  }

  /** A single key is looked up, not searched for. */
  #histories(range: KeyRange): Iterable<[ByteKey, KeyHistory]> {
    const interval: Interval = toInterval(range);
    if (range.rangeEnd !== undefined && range.rangeEnd.length > 0) {
      return this.#keys.entries(interval.from, interval.until);
    }
    const history = this.#keys.get(interval.from);
    return history === undefined ? [] : [[interval.from, history]];
  }
}
