import type { Configuration, Entry, HardState } from '../core/index.js';
import { CorruptionError } from './node-errors.js';
import type { Identity, LogMark, WalRecord } from './wal-record.js';
import type { SegmentContent } from './wal-segment.js';

/** A segment that is there, as the log keeps account of it. */
export interface SegmentInfo {
  readonly sequence: number;
  /** Entries from here on are in this segment or in later ones; 0 when nothing before it counts. */
  readonly firstIndex: number;
}

export interface ReplayedLog {
  readonly identity: Identity;
  /** Who voted before the first entry; null: the segment that says so is not kept any more. */
  readonly founding: Configuration | null;
  readonly hardState: HardState;
  /** Without a gap. */
  readonly entries: readonly Entry[];
  /** Of the first entry that is held, or would be. */
  readonly firstIndex: number;
  /** Of the last entry, `firstIndex - 1` for none. */
  readonly lastIndex: number;
  /** The last leader's snapshot that took the place of the log, if one did. */
  readonly installed: LogMark | null;
  readonly segments: readonly SegmentInfo[];
}

/** Puts the records of all segments together, refusing what cannot follow. */
export class WalReplay {
  #identity: Identity | null = null;
  #founding: Configuration | null = null;
  #hardState: HardState = { term: 0, vote: null, commit: 0 };
  /** Known as committed before the frame that is being read: what it replaces lies above. */
  #committed = 0;
  #entries: Entry[] = [];
  #firstIndex = 1;
  #installed: LogMark | null = null;
  #segments: SegmentInfo[] = [];

  segment(file: string, sequence: number, content: SegmentContent): void {
    const { firstIndex } = content;
    if (this.#segments.length === 0) this.#firstIndex = firstIndex;
    if (firstIndex !== this.#nextIndex) {
      throw new CorruptionError(
        file,
        0,
        `it begins with entry ${firstIndex} instead of ${this.#nextIndex}`,
      );
    }
    this.#segments.push({ sequence, firstIndex });
    for (const batch of content.batches) {
      for (const record of batch) {
        const problem = this.#take(record);
        if (problem !== null) throw new CorruptionError(file, 0, problem);
      }
      this.#committed = Math.max(this.#committed, this.#hardState.commit);
    }
  }

  result(path: string): ReplayedLog {
    if (this.#identity === null) throw new CorruptionError(path, 0, 'the log does not say whose');
    return {
      identity: this.#identity,
      founding: this.#founding,
      hardState: this.#hardState,
      entries: this.#entries,
      firstIndex: this.#firstIndex,
      lastIndex: this.#nextIndex - 1,
      installed: this.#installed,
      segments: this.#segments,
    };
  }

  get #nextIndex(): number {
    return this.#firstIndex + this.#entries.length;
  }

  #take(record: WalRecord): string | null {
    switch (record.kind) {
      case 'segment':
        return 'a second beginning inside a segment';
      case 'identity':
        return this.#takeIdentity(record.identity);
      case 'founding':
        this.#founding = record.configuration;
        return null;
      case 'hard-state': {
        const { term, commit } = record.hardState;
        if (term < this.#hardState.term) return 'the term falls';
        if (commit < this.#hardState.commit) return 'the commit index falls';
        this.#hardState = record.hardState;
        return null;
      }
      case 'entry':
        return this.#takeEntry(record.entry);
      case 'snapshot':
        this.#committed = Math.max(this.#committed, record.mark.index);
        return null;
      case 'installed':
        return this.#takeInstalled(record.mark);
    }
  }

  #takeIdentity(identity: Identity): string | null {
    const known = this.#identity ?? identity;
    const same =
      known.clusterId === identity.clusterId &&
      known.nodeId === identity.nodeId &&
      known.folderId === identity.folderId;
    this.#identity = known;
    return same ? null : 'the segments belong to different nodes';
  }

  #takeEntry(entry: Entry): string | null {
    const { index, term } = entry;
    if (index > this.#nextIndex) return `entry ${index} stands where ${this.#nextIndex} belongs`;
    if (index <= this.#committed) return `entry ${index} replaces one that was committed`;
    if (term > this.#hardState.term) return 'an entry is of a term that never began';
    if (index < this.#nextIndex) this.#truncateFrom(index);
    const before = this.#entries.at(-1)?.term ?? this.#installed?.term ?? 0;
    if (term < before) return 'the term falls along the log';
    this.#entries.push(entry);
    return null;
  }

  #truncateFrom(index: number): void {
    this.#entries.length = Math.max(0, index - this.#firstIndex);
    this.#firstIndex = Math.min(this.#firstIndex, index);
    this.#segments = withEntriesFrom(this.#segments, index);
  }

  #takeInstalled(mark: LogMark): string | null {
    if (mark.index <= this.#committed) return 'a snapshot takes the place of what was committed';
    if (mark.term > this.#hardState.term) return 'a snapshot is of a term that never began';
    this.#entries = [];
    this.#firstIndex = mark.index + 1;
    this.#installed = mark;
    this.#segments = withNothingBefore(this.#segments);
    return null;
  }
}

/** The last segment holds entries from `index` on. */
export function withEntriesFrom(segments: readonly SegmentInfo[], index: number): SegmentInfo[] {
  return segments.map((segment) =>
    segment.firstIndex > index ? { ...segment, firstIndex: index } : segment,
  );
}

/** Nothing in a segment before the last counts any more. */
export function withNothingBefore(segments: readonly SegmentInfo[]): SegmentInfo[] {
  return segments.map((segment) => ({ ...segment, firstIndex: 0 }));
}
