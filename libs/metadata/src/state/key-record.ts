import type { ByteKey } from './byte-key.js';
import type { KeyValue, Revision } from './types.js';

export function isDeletion(kv: KeyValue): boolean {
  return kv.version === 0;
}

/** What one kept version counts beside its bytes. */
const VERSION_OVERHEAD_BYTES = 64;

export function versionCost(key: Uint8Array, value: Uint8Array): number {
  return key.length + value.length + VERSION_OVERHEAD_BYTES;
}

function live(kv: KeyValue | undefined): KeyValue | null {
  return kv === undefined || isDeletion(kv) ? null : kv;
}

/** What is kept of one key. A deletion is a version too, numbered 0 and with an empty value. */
export class KeyRecord {
  /** Oldest first; one revision may have several. Empty only before the first and after the last. */
  #versions: KeyValue[] = [];

  constructor(
    readonly id: ByteKey,
    readonly key: Uint8Array,
  ) {}

  get versions(): readonly KeyValue[] {
    return this.#versions;
  }

  /** The key now; null when it is not there. */
  get current(): KeyValue | null {
    return live(this.#versions.at(-1));
  }

  /** The key as it was at a revision that is kept. */
  at(revision: Revision): KeyValue | null {
    return live(this.#versions[this.firstAfter(revision) - 1]);
  }

  /** Index of the first version that is newer than `revision`. */
  firstAfter(revision: Revision): number {
    let low = 0;
    let high = this.#versions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#versions[middle]?.modRevision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether no reader at or after a compaction can see anything of it: its memory may be gone. */
  isGone(compactRevision: Revision): boolean {
    const last = this.#versions.at(-1);
    return last === undefined || (isDeletion(last) && last.modRevision < compactRevision);
  }

  /** Forgets the newest version. */
  undo(): void {
    this.#versions.pop();
  }

  add(version: KeyValue): void {
    /* Most keys are written once: a literal takes one slot, pushing would reserve many. */
    if (this.#versions.length === 0) this.#versions = [version];
    else this.#versions.push(version);
  }

  /**
   * Forgets what no reader at or above `revision` can see. Versions made by that very revision are
   * kept, deletions too: a watch that begins there must see them. Answers whether the last one went.
   */
  compact(revision: Revision): boolean {
    if (this.#versions.length === 0) return false;
    let keep = this.firstAfter(revision - 1);
    const visible = this.#versions[keep]?.modRevision !== revision;
    if (visible && live(this.#versions[keep - 1]) !== null) keep -= 1;
    if (keep > 0) this.#versions = this.#versions.slice(keep);
    return this.#versions.length === 0;
  }
}
