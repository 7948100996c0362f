import { assert } from '@pawl/kernel';
import type { Configuration, Entry, HardState } from '../core/index.js';
import { writeLogReach } from './newest-segment.js';
import type { StorageFile, StorageFolder } from './storage-folder.port.js';
import { writeFully } from './storage-folder.port.js';
import { encodeFrame } from './wal-frame.js';
import { encodeRecords } from './wal-record.js';
import type { Identity, WalRecord, LogMark } from './wal-record.js';
import type { RecoveredLog } from './wal-recovery.js';
import { withEntriesFrom, withNothingBefore } from './wal-replay.js';
import type { SegmentInfo } from './wal-replay.js';
import { encodeSegment, segmentName } from './wal-segment.js';

/** What one write adds; all of it becomes durable together. */
export interface LogBatch {
  readonly hardState: HardState | null;
  /** The first may lie at or below the last of the log: from there on all is replaced. */
  readonly entries: readonly Entry[];
  /** A snapshot of this node that became durable. */
  readonly noted: LogMark | null;
  /** A leader's snapshot that takes the place of the whole log. */
  readonly installed: LogMark | null;
}

export const EMPTY_BATCH: LogBatch = {
  hardState: null,
  entries: [],
  noted: null,
  installed: null,
};

/**
 * The write-ahead log, open for appending. Calls of `append` follow each other, those of `release` do
 * too; after one has failed the log must not be used any more.
 */
export class WriteAheadLog {
  readonly #folder: StorageFolder;
  readonly #identity: Identity;
  readonly #segmentBytes: number;
  #segments: SegmentInfo[];
  #file: StorageFile;
  /** Behind the last frame, all of which is durable. */
  #end: number;
  #nextIndex: number;
  #hardState: HardState;

  private constructor(
    at: { folder: StorageFolder; file: StorageFile; segmentBytes: number },
    log: Pick<RecoveredLog, 'identity' | 'hardState' | 'lastIndex' | 'segments' | 'end'>,
  ) {
    this.#folder = at.folder;
    this.#file = at.file;
    this.#segmentBytes = at.segmentBytes;
    this.#identity = log.identity;
    this.#hardState = log.hardState;
    this.#nextIndex = log.lastIndex + 1;
    this.#segments = [...log.segments];
    this.#end = log.end;
  }

  /** Begins the log of a new node. A crash in the middle leaves an empty folder or a new log. */
  static async create(
    folder: StorageFolder,
    founding: { readonly identity: Identity; readonly configuration: Configuration },
    segmentBytes: number,
  ): Promise<WriteAheadLog> {
    const { identity, configuration } = founding;
    const hardState: HardState = { term: 0, vote: null, commit: 0 };
    const segment = { sequence: 1, firstIndex: 1 };
    const { file, end } = await createSegment(folder, segment, [
      { kind: 'segment', firstIndex: 1, previousEnd: 0 },
      { kind: 'identity', identity },
      { kind: 'founding', configuration },
      { kind: 'hard-state', hardState },
    ]);
    await writeLogReach(folder, { segment: segment.sequence, end });
    const log = { identity, hardState, lastIndex: 0, segments: [segment], end };
    return new WriteAheadLog({ folder, file, segmentBytes }, log);
  }

  /** Goes on behind what was recovered; a crash may have come before the newest segment was used. */
  static async resume(
    folder: StorageFolder,
    recovered: RecoveredLog,
    segmentBytes: number,
  ): Promise<WriteAheadLog> {
    const last = recovered.segments.at(-1);
    assert(last !== undefined, 'a recovered log has a segment');
    const { noted, end } = recovered;
    if (noted?.segment !== last.sequence || noted.end !== end) {
      await writeLogReach(folder, { segment: last.sequence, end });
    }
    const file = await folder.open(segmentName(last.sequence));
    return new WriteAheadLog({ folder, file, segmentBytes }, recovered);
  }

  /** Numbers of the segments that are kept, oldest first. */
  get segments(): readonly SegmentInfo[] {
    return this.#segments;
  }

  /** Resolves once the batch is durable: one write, one sync; with a snapshot's mark, also its place. */
  async append(batch: LogBatch): Promise<void> {
    if (this.#end >= this.#segmentBytes) await this.#roll();
    this.#check(batch);
    const records = recordsOf(batch);
    assert(records.length > 0, 'an empty batch is not written');
    const place = { segment: this.#last.sequence, offset: this.#end };
    const frame = encodeFrame(encodeRecords(records), place, this.#end);
    await writeFully(this.#file, frame, this.#end);
    await this.#file.sync();
    this.#end += frame.length;
    this.#hardState = batch.hardState ?? this.#hardState;
    this.#follow(batch);
    if (batch.noted !== null) await this.#noteReach();
  }

  /** What is known as committed is never replaced, and no gap is left. */
  #check({ entries, installed }: LogBatch): void {
    const { commit } = this.#hardState;
    assert(
      installed === null || installed.index > commit,
      'a snapshot lies above what is committed',
    );
    const next = installed === null ? this.#nextIndex : installed.index + 1;
    const first = entries[0]?.index ?? next;
    assert(first <= next && (first === next || first > commit), 'entries follow the log');
  }

  /** Keeps account of what was written. */
  #follow({ entries, installed }: LogBatch): void {
    if (installed !== null) {
      this.#segments = withNothingBefore(this.#segments);
      this.#nextIndex = installed.index + 1;
    }
    const [first, last] = [entries[0], entries.at(-1)];
    if (first === undefined || last === undefined) return;
    this.#segments = withEntriesFrom(this.#segments, first.index);
    this.#nextIndex = last.index + 1;
  }

  /** Removes the segments that hold nothing above `index`, each durably before the next. */
  async release(index: number): Promise<void> {
    for (let next = this.#segments[1]; next !== undefined; next = this.#segments[1]) {
      if (next.firstIndex > index + 1) break;
      const [oldest] = this.#segments;
      assert(oldest !== undefined, 'there is an older segment');
      await this.#folder.remove(segmentName(oldest.sequence));
      await this.#folder.sync();
      this.#segments = this.#segments.slice(1);
    }
  }

  /** Notes how far the log reaches and closes it; it must be in order. */
  async finish(): Promise<void> {
    try {
      await this.#noteReach();
    } finally {
      await this.close();
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #noteReach(): Promise<void> {
    return writeLogReach(this.#folder, { segment: this.#last.sequence, end: this.#end });
  }

  get #last(): SegmentInfo {
    const last = this.#segments.at(-1);
    assert(last !== undefined, 'the log has a segment');
    return last;
  }

  async #roll(): Promise<void> {
    const segment = { sequence: this.#last.sequence + 1, firstIndex: this.#nextIndex };
    const { file, end } = await createSegment(this.#folder, segment, [
      { kind: 'segment', firstIndex: this.#nextIndex, previousEnd: this.#end },
      { kind: 'identity', identity: this.#identity },
      { kind: 'hard-state', hardState: this.#hardState },
    ]);
    const full = this.#file;
    this.#file = file;
    this.#segments.push(segment);
    this.#end = end;
    await full.close();
    await this.#noteReach();
  }
}

/** In the order in which recovery takes them. */
function recordsOf({ hardState, entries, noted, installed }: LogBatch): WalRecord[] {
  const records: WalRecord[] = [];
  if (hardState !== null) records.push({ kind: 'hard-state', hardState });
  if (installed !== null) records.push({ kind: 'installed', mark: installed });
  for (const entry of entries) records.push({ kind: 'entry', entry });
  if (noted !== null) records.push({ kind: 'snapshot', mark: noted });
  return records;
}

/** A segment gets its name only once it is whole and durable. */
async function createSegment(
  folder: StorageFolder,
  segment: SegmentInfo,
  records: readonly WalRecord[],
): Promise<{ file: StorageFile; end: number }> {
  const name = segmentName(segment.sequence);
  const bytes = encodeSegment(segment.sequence, records);
  const file = await folder.create(`${name}.tmp`);
  try {
    await writeFully(file, bytes, 0);
    await file.sync();
    await folder.rename(`${name}.tmp`, name);
    await folder.sync();
    return { file, end: bytes.length };
  } catch (error) {
    await file.close();
    throw error;
  }
}
