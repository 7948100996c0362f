import type { KeyValue, Revision } from './types.js';

/** One change of a key that is still kept. A deletion has version 0 and an empty value. */
export interface KeyVersion {
  readonly kv: KeyValue;
  /** Position among the changes of its revision. */
  readonly position: number;
}

export function isDeletion(kv: KeyValue): boolean {
  return kv.version === 0;
}

/** What is kept of one key, oldest first; never empty while it is in the store. */
export class KeyHistory {
  #versions: KeyVersion[];

  constructor(versions: readonly KeyVersion[] = []) {
    this.#versions = [...versions];
  }

  get versions(): readonly KeyVersion[] {
    return this.#versions;
  }

  /** The key now; null when it is not there. */
  get current(): KeyValue | null {
    return live(this.#versions.at(-1));
  }

  /** The key as it was at a revision that is kept. */
  at(revision: Revision): KeyValue | null {
    for (let i = this.#versions.length - 1; i >= 0; i -= 1) {
      const version = this.#versions[i];
      if (version !== undefined && version.kv.modRevision <= revision) return live(version);
    }
    return null;
  }

  add(version: KeyVersion): void {
    this.#versions.push(version);
  }

  /**
   * Forgets what no reader at or above `revision` can see. A deletion at that very revision is kept:
   * a watch that begins there must see it. Answers the versions that went.
   */
  compact(revision: Revision): readonly KeyVersion[] {
    let keep = this.#versions.findLastIndex(({ kv }) => kv.modRevision <= revision);
    const newest = this.#versions[keep];
    if (newest === undefined) return [];
    if (isDeletion(newest.kv) && newest.kv.modRevision < revision) keep += 1;
    return this.#versions.splice(0, keep);
  }
}

function live(version: KeyVersion | undefined): KeyValue | null {
  return version === undefined || isDeletion(version.kv) ? null : version.kv;
}
