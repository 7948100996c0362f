import { assert } from '@pawl/kernel';
import { decodeConfiguration } from './configuration.js';
import type { Configuration } from './configuration.js';
import type { Entry, LogIndex, SnapshotMark, Term } from './types.js';

/** A configuration and the entry that made it, index 0 for the one of the founding. */
interface ConfigurationAt {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/** What an entry costs beside its data, in memory and on its way; empty ones are not for free. */
const ENTRY_OVERHEAD_BYTES = 64;

/** What every limit in bytes counts. */
export function entryBytes(entry: Pick<Entry, 'data'>): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}

/**
 * The end of the log, in memory. Holds throughout: `compacted ≤ snapshot ≤ committed ≤ last` and
 * `applied ≤ stable ≤ last`; stable is what was reported durable. `snapshot ≤ applied` but for a
 * leader's snapshot that is not installed yet. What is committed is never replaced.
 */
export class RaftLog {
  #snapshot: SnapshotMark;
  /** The last entry that is not held any more. */
  #compacted: { readonly index: LogIndex; readonly term: Term };
  #entries: Entry[];
  #stable: LogIndex;
  #committed: LogIndex;
  #applied: SnapshotMark;
  #uncommittedBytes = 0;
  /** Oldest first; the first is at or below the compacted and the applied index. */
  #configurations: ConfigurationAt[];

  /** `entries` follow `snapshot` without a gap and are durable, as is everything up to `commit`. */
  constructor(snapshot: SnapshotMark, entries: readonly Entry[], commit: LogIndex) {
    this.#snapshot = snapshot;
    this.#compacted = snapshot;
    this.#entries = [];
    this.#committed = snapshot.index;
    this.#applied = snapshot;
    this.#stable = snapshot.index;
    this.#configurations = [{ index: snapshot.index, configuration: snapshot.configuration }];
    for (const entry of entries) this.append(entry);
    this.#stable = this.lastIndex;
    assert(commit <= this.lastIndex, 'the commit index lies within the log');
    this.commitTo(Math.max(commit, snapshot.index));
  }

  /** The newest snapshot. */
  get snapshot(): SnapshotMark {
    return this.#snapshot;
  }

  get compacted(): { readonly index: LogIndex; readonly term: Term } {
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
    return this.#applied.index;
  }

  /** A leader's snapshot has replaced the log, and not yet the state machine's state. */
  get installing(): boolean {
    return this.#applied.index < this.#compacted.index;
  }

  /** What may be applied: committed and durable here. */
  get applicable(): LogIndex {
    return Math.min(this.#committed, this.#stable);
  }

  /** {@link entryBytes} of the entries above the commit index. */
  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Who votes: the newest configuration in the log counts, committed or not (thesis §4.1). */
  get configuration(): Configuration {
    return this.#newestConfiguration().configuration;
  }

  get configurationIndex(): LogIndex {
    return this.#newestConfiguration().index;
  }

  /** As of what is applied, or of an entry in the log. */
  markAt(index: LogIndex): SnapshotMark {
    if (index === this.#applied.index) return this.#applied;
    return { index, term: this.termAt(index), configuration: this.configurationAt(index) };
  }

  /** The configuration as of an index at or above the compacted one. */
  configurationAt(index: LogIndex): Configuration {
    const at = this.#configurations.findLast((each) => each.index <= index);
    assert(at !== undefined, `the configuration as of ${index} is known`);
    return at.configuration;
  }

  /** Whether the log holds this entry, or did before it was compacted at exactly that index. */
  has(index: LogIndex, term: Term): boolean {
    if (index < this.#compacted.index || index > this.lastIndex) return false;
    return this.termAt(index) === term;
  }

  /** Term of the entry at `index`, which lies between the compacted one and the last. */
  termAt(index: LogIndex): Term {
    if (index === this.#compacted.index) return this.#compacted.term;
    const entry = this.#entries[index - this.#compacted.index - 1];
    assert(entry !== undefined, `index ${index} is in the log`);
    return entry.term;
  }

  /** Whether a log that ends like this holds at least what this one holds (Raft thesis §3.6.1). */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    if (lastTerm !== this.lastTerm) return lastTerm > this.lastTerm;
    return lastIndex >= this.lastIndex;
  }

  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, 'an entry is appended behind the last');
    assert(entry.term >= this.lastTerm, 'terms never fall along the log');
    assert(Number.isSafeInteger(entry.index), 'log indexes are safe integers');
    if (entry.kind === 'configuration') {
      const configuration = decodeConfiguration(entry.data);
      this.#configurations.push({ index: entry.index, configuration });
    }
    this.#entries.push(entry);
    this.#uncommittedBytes += entryBytes(entry);
  }

  /**
   * Takes what a leader sent after an entry that is held. What is there already stays, also behind
   * the entries sent (they may be old); from the first that differs on all is replaced.
   */
  merge(entries: readonly Entry[]): void {
    const fresh = entries.findIndex(({ index, term }) => !this.has(index, term));
    if (fresh < 0) return;
    const first = entries[fresh] as Entry;
    if (first.index <= this.lastIndex) this.#truncateFrom(first.index);
    for (const entry of entries.slice(fresh)) this.append(entry);
  }

  /**
   * The highest index at or below `index` whose term is at or below `term`: a log that ends there
   * cannot agree with this one above it.
   */
  lastAtOrBelow(index: LogIndex, term: Term): LogIndex {
    let at = Math.min(index, this.lastIndex);
    while (at > this.#compacted.index && this.termAt(at) > term) at -= 1;
    return at;
  }

  /** Entries in `(after, upTo]`: at least one if there are any, else at most `maxBytes`. */
  slice(after: LogIndex, upTo: LogIndex, maxBytes = Infinity): Entry[] {
    assert(after >= this.#compacted.index, `entries above ${after} are still in the log`);
    const from = after - this.#compacted.index;
    const until = upTo - this.#compacted.index;
    let end = from;
    let bytes = 0;
    while (end < until) {
      bytes += entryBytes(this.#entries[end] as Entry);
      if (end > from && bytes > maxBytes) break;
      end += 1;
    }
    return this.#entries.slice(from, end);
  }

  /** The entry, which the log holds, was written, and all before it. */
  stableTo(index: LogIndex): void {
    this.#stable = Math.max(this.#stable, index);
  }

  commitTo(index: LogIndex): void {
    if (index <= this.#committed) return;
    assert(index <= this.lastIndex, 'only what the log holds is committed');
    for (const entry of this.slice(this.#committed, index)) {
      this.#uncommittedBytes -= entryBytes(entry);
    }
    this.#committed = index;
  }

  /** The entry, or a snapshot up to it, is in the state machine's state. */
  appliedTo({ index, term }: { readonly index: LogIndex; readonly term: Term }): void {
    assert(index >= this.#applied.index && index <= this.applicable, 'only what may be is applied');
    this.#applied = { index, term, configuration: this.configurationAt(index) };
  }

  /**
   * A durable snapshot covers the entries up to `index`: they are forgotten, but for the last
   * `trailingBytes` of them.
   */
  compact(index: LogIndex, trailingBytes: number): void {
    assert(index <= this.#applied.index, 'a snapshot covers only what was applied');
    if (index <= this.#snapshot.index) return;
    this.#snapshot = this.markAt(index);
    let cut = index;
    let bytes = 0;
    while (cut > this.#compacted.index) {
      bytes += entryBytes(this.#entries[cut - this.#compacted.index - 1] as Entry);
      if (bytes > trailingBytes) break;
      cut -= 1;
    }
    const term = this.termAt(cut);
    this.#entries = this.#entries.slice(cut - this.#compacted.index);
    this.#configurations = this.#configurationsFrom(cut);
    this.#compacted = { index: cut, term };
  }

  /** Puts a leader's snapshot, which reaches above all that is committed, in place of the log. */
  restore(mark: SnapshotMark): void {
    assert(mark.index > this.#committed, 'a snapshot never takes back what is committed');
    const { index, configuration } = mark;
    // What is applied keeps its configuration, also what is being applied.
    const applying = this.#configurationsFrom(this.#applied.index);
    const committed = applying.filter((each) => each.index <= this.#committed);
    this.#configurations = [...committed, { index, configuration }];
    this.#snapshot = mark;
    this.#compacted = mark;
    this.#entries = [];
    this.#uncommittedBytes = 0;
    this.#committed = index;
    this.#stable = index;
  }

  #truncateFrom(index: LogIndex): void {
    assert(index > this.#committed, 'what is committed is never replaced');
    for (const entry of this.slice(index - 1, this.lastIndex)) {
      this.#uncommittedBytes -= entryBytes(entry);
    }
    this.#entries.length = index - this.#compacted.index - 1;
    this.#stable = Math.min(this.#stable, index - 1);
    this.#configurations = this.#configurations.filter((each) => each.index < index);
  }

  /** The configuration as of `index`, and later ones. */
  #configurationsFrom(index: LogIndex): ConfigurationAt[] {
    const first = this.#configurations.findLastIndex((each) => each.index <= index);
    return this.#configurations.slice(Math.max(0, first));
  }

  #newestConfiguration(): ConfigurationAt {
    const newest = this.#configurations.at(-1);
    assert(newest !== undefined, 'there is always a configuration');
    return newest;
  }
}
