import { assert } from '@pawl/kernel';
import type { Entry, LogIndex, SnapshotMark, Term } from './types.js';

/**
 * The log behind the newest compaction, in memory. Holds throughout:
 * `compacted ≤ applied ≤ committed ≤ stable ≤ last`; stable is what was reported durable.
 */
export class RaftLog {
  #compacted: SnapshotMark;
  #entries: Entry[];
  #stable: LogIndex;
  #committed: LogIndex;
  #applied: LogIndex;
  #uncommittedBytes = 0;

  /** `entries` follow `snapshot` without a gap and are durable, as is everything up to `commit`. */
  constructor(snapshot: SnapshotMark, entries: readonly Entry[], commit: LogIndex) {
    this.#compacted = snapshot;
    this.#entries = [...entries];
    this.#entries.forEach((entry, at) => {
      assert(entry.index === snapshot.index + 1 + at, `entry ${entry.index} follows without a gap`);
    });
    this.#stable = this.lastIndex;
    this.#committed = Math.max(commit, snapshot.index);
    this.#applied = snapshot.index;
    assert(this.#committed <= this.lastIndex, 'the commit index lies within the log');
    for (const entry of this.slice(this.#committed, this.lastIndex)) {
      this.#uncommittedBytes += entry.data.length;
    }
  }

  get compacted(): SnapshotMark {
    return this.#compacted;
  }

  get lastIndex(): LogIndex {
    return this.#compacted.index + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#compacted.term;
  }

  get stable(): LogIndex {
    return this.#stable;
  }

  get committed(): LogIndex {
    return this.#committed;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  /** Bytes of the entries above the commit index. */
  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Term of the entry at `index`, which lies between the compacted one and the last. */
  termAt(index: LogIndex): Term {
    if (index === this.#compacted.index) return this.#compacted.term;
    const entry = this.#entries[index - this.#compacted.index - 1];
    assert(entry !== undefined, `index ${index} is in the log`);
    return entry.term;
  }

  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, 'an entry is appended behind the last');
    assert(entry.term >= this.lastTerm, 'terms never fall along the log');
    assert(Number.isSafeInteger(entry.index), 'log indexes are safe integers');
    this.#entries.push(entry);
    this.#uncommittedBytes += entry.data.length;
  }

  /** Entries in `(after, upTo]`: at least one if there are any, else at most `maxBytes` of data. */
  slice(after: LogIndex, upTo: LogIndex, maxBytes = Infinity): Entry[] {
    assert(after >= this.#compacted.index, `entries above ${after} are still in the log`);
    const from = after - this.#compacted.index;
    const until = upTo - this.#compacted.index;
    let end = from;
    let bytes = 0;
    while (end < until) {
      bytes += this.#entries[end]?.data.length ?? 0;
      if (end > from && bytes > maxBytes) break;
      end += 1;
    }
    return this.#entries.slice(from, end);
  }

  stableTo(index: LogIndex): void {
    assert(index >= this.#stable && index <= this.lastIndex, 'what is durable only grows');
    this.#stable = index;
  }

  commitTo(index: LogIndex): void {
    assert(index >= this.#committed, 'the commit index only grows');
    assert(index <= this.#stable, 'nothing is committed before it is durable');
    for (const entry of this.slice(this.#committed, index)) {
      this.#uncommittedBytes -= entry.data.length;
    }
    this.#committed = index;
  }

  appliedTo(index: LogIndex): void {
    assert(index >= this.#applied && index <= this.#committed, 'only what is committed is applied');
    this.#applied = index;
  }

  /** Forgets the entries up to `index`, which a durable snapshot covers. */
  compact(index: LogIndex): void {
    assert(index <= this.#applied, 'a snapshot covers only what was applied');
    if (index <= this.#compacted.index) return;
    const term = this.termAt(index);
    this.#entries = this.#entries.slice(index - this.#compacted.index);
    this.#compacted = { index, term };
  }
}
