import { assert } from '@pawl/kernel';
import type { KeyRecord } from './key-record.js';
import type { KeyValue, Revision } from './types.js';

export interface Change {
  readonly record: KeyRecord;
  readonly kv: KeyValue;
}

export interface LogEntry {
  /** In the order of the operations. */
  readonly changes: readonly Change[];
  /** Bytes that compacting the whole log up to and with this revision would give back. */
  readonly freedBytes: number;
}

/** Forgotten entries after which the rest is moved together. */
const SHIFT_AFTER = 4096;

/** What every revision changed, from the oldest that is kept to the newest, without a gap. */
export class RevisionLog {
  #entries: (LogEntry | undefined)[] = [];
  /** Entries before this index are forgotten. */
  #head = 0;
  #next: Revision;

  /** `next`: the revision of the first entry. */
  constructor(next: Revision) {
    this.#next = next;
  }

  /** Revision of the oldest entry; the next revision when there is none. */
  get first(): Revision {
    return this.#next - (this.#entries.length - this.#head);
  }

  append(revision: Revision, entry: LogEntry): void {
    assert(revision === this.#next, 'revisions have no gap');
    this.#entries.push(entry);
    this.#next += 1;
  }

  get(revision: Revision): LogEntry | undefined {
    return this.#entries[this.#entries.length - (this.#next - revision)];
  }

  /** Forgets the oldest entry. */
  shift(): void {
    this.#entries[this.#head] = undefined;
    this.#head += 1;
    if (this.#head < SHIFT_AFTER || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}
