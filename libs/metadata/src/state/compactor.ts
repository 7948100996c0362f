import type { KeyIndex } from './key-index.js';
import type { RevisionLog } from './revision-log.js';
import type { Revision } from './types.js';

/**
 * Gives back the memory of what was compacted, in steps: whatever can go was replaced or deleted by
 * one of the compacted revisions, so only what those changed is looked at. Nothing that can be read
 * depends on how far it is.
 */
export class Compactor {
  #target: Revision = 0;
  /** The revision, and the change in it, to look at next. */
  #revision: Revision = 0;
  #change = 0;
  #pins = 0;

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
    };
  }

  /** Looks at about `budget` changes; answers whether more is left to do. */
  step(budget: number): boolean {
    if (this.#pins > 0) return this.#revision <= this.#target;
    let left = budget;
    while (this.#revision <= this.#target && left > 0) {
      const changes = this.log.get(this.#revision)?.changes ?? [];
      const end = Math.min(changes.length, this.#change + left);
      for (let at = this.#change; at < end; at += 1) {
        const record = changes[at]?.record;
        if (record?.compact(this.#target) === true) this.index.remove(record.id);
      }
      left -= end - this.#change + 1;
      this.#change = end;
      if (end === changes.length) this.#next();
    }
    return this.#revision <= this.#target;
  }

  #next(): void {
    if (this.#revision < this.#target) this.log.shift();
    this.#revision += 1;
    this.#change = 0;
  }
}
