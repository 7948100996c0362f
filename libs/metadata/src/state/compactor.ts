import { KeyIndex } from './key-index.js';
import type { ByteKey } from './byte-key.js';
import type { KeyRecord } from './key-record.js';
import type { RevisionLog } from './revision-log.js';
import type { Revision } from './types.js';

/**
 * Gives back the memory of what was compacted, in steps: whatever can go was replaced or deleted by
 * one of the compacted revisions, so only what those changed is looked at. Nothing that can be read
 * depends on how far it is. While somebody who reads in steps keeps all memory, keys that are gone
 * are only put aside, so that those who look through the index do not meet them again and again.
 */
export class Compactor {
  #target: Revision = 0;
  /** The revision, and the change in it, to look at next. */
  #revision: Revision = 0;
  #change = 0;
  #pins = 0;
  /** Keys that are gone, while they are kept. */
  #aside = new KeyIndex();
  /** The same, for what is put aside: everything before was looked at. */
  #asideRevision: Revision = 0;
  #asideChange = 0;

  constructor(
    private readonly index: KeyIndex,
    private readonly log: RevisionLog,
  ) {}

  /** `target`: the new compaction revision. */
  begin(target: Revision): void {
    this.#target = target;
    this.#revision = this.log.first;
    this.#change = 0;
  }

  get pinned(): boolean {
    return this.#pins > 0;
  }

  pin(): () => void {
    this.#pins += 1;
    let pinned = true;
    return () => {
      if (pinned) this.#pins -= 1;
      pinned = false;
      if (this.#pins === 0) this.#aside = new KeyIndex();
    };
  }

  /** The next records that are kept, those put aside too: from a key on, in order, at most so many. */
  records(from: ByteKey, most: number): KeyRecord[] {
    const found: KeyRecord[] = [];
    for (const index of [this.index, this.#aside]) {
      let left = most;
      index.visit({ from, until: null }, (record) => {
        found.push(record);
        left -= 1;
        return left > 0;
      });
    }
    return found.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, most);
  }

  /** The record of a key that comes back, if it was put aside; it is then nowhere. */
  takeBack(key: ByteKey): KeyRecord | undefined {
    const record = this.#aside.get(key);
    if (record !== undefined) this.#aside.remove(key);
    return record;
  }

  /** Takes a record out of the index that no reader there can see anything of, if it is kept. */
  putAside(record: KeyRecord): void {
    if (this.#pins === 0 || !record.isGone(this.#target)) return;
    if (this.index.get(record.id) !== record) return;
    this.index.remove(record.id);
    this.#aside.insert(record);
  }

  /** Looks at about `budget` changes; answers whether more is left to do. */
  step(budget: number): boolean {
    if (this.#pins > 0) {
      this.#stepAside(budget);
      return this.#revision <= this.#target;
    }
    let left = budget;
    while (this.#revision <= this.#target && left > 0) {
      const changes = this.log.get(this.#revision)?.changes ?? [];
      const end = Math.min(changes.length, this.#change + left);
      for (let at = this.#change; at < end; at += 1) {
        const record = changes[at]?.record;
        if (record?.compact(this.#target) !== true) continue;
        if (this.index.get(record.id) === record) this.index.remove(record.id);
      }
      left -= end - this.#change + 1;
      this.#change = end;
      if (end === changes.length) this.#next();
    }
    return this.#revision <= this.#target;
  }

  #stepAside(budget: number): void {
    if (this.#asideRevision < this.log.first) {
      this.#asideRevision = this.log.first;
      this.#asideChange = 0;
    }
    let left = budget;
    while (this.#asideRevision < this.#target && left > 0) {
      const changes = this.log.get(this.#asideRevision)?.changes ?? [];
      const end = Math.min(changes.length, this.#asideChange + left);
      for (const { record } of changes.slice(this.#asideChange, end)) this.putAside(record);
      left -= end - this.#asideChange + 1;
      this.#asideChange = end;
      if (end < changes.length) return;
      this.#asideRevision += 1;
      this.#asideChange = 0;
    }
  }

  #next(): void {
    if (this.#revision < this.#target) this.log.shift();
    this.#revision += 1;
    this.#change = 0;
  }
}
