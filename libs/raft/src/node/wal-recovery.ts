import type { Configuration, Entry, HardState } from '../core/index.js';
import { readNewestSegment } from './newest-segment.js';
import { CorruptionError } from './node-errors.js';
import type { StorageFolder } from './storage-folder.port.js';
import { writeFully } from './storage-folder.port.js';
import { readSegment, segmentName, segmentSequence } from './wal-segment.js';
import type { SegmentContent } from './wal-segment.js';
import type { Identity, WalRecord, LogMark } from './wal-record.js';

/** A segment that is there, as the log keeps account of it. */
export interface SegmentInfo {
  readonly sequence: number;
  readonly firstIndex: number;
}

/** What the log held, up to the last finished write. */
export interface RecoveredLog {
  readonly identity: Identity;
  /** Who voted before the first entry; null: the segment that says so is not kept any more. */
  readonly founding: Configuration | null;
  readonly hardState: HardState;
  /** Without a gap; the first is the oldest that was kept. */
  readonly entries: readonly Entry[];
  /** Index of the last entry that was ever written. */
  readonly lastIndex: number;
  readonly snapshotMarks: readonly LogMark[];
  readonly segments: readonly SegmentInfo[];
  /** Length of the last segment. */
  readonly end: number;
  /** Number of the newest segment that was written down; null in a log that never was used. */
  readonly newestKnown: number | null;
  /** An unfinished write that was cut off the end; it was never acknowledged. */
  readonly cut: { readonly file: string; readonly offset: number; readonly bytes: number } | null;
}

/**
 * Reads all segments; null when there is none. An unfinished write at the very end is cut off, any
 * other damage is a {@link CorruptionError} and leaves every file as it was. Doing it twice, also
 * after a crash in the middle, gives the same.
 */
export async function recoverLog(folder: StorageFolder): Promise<RecoveredLog | null> {
  const read = await readSegments(folder);
  if (read === null) return null;
  await settleTail(folder, read.sequence, read.last);
  return read.log;
}

/** As {@link recoverLog}, but changes nothing: `cut` is what would be cut off. */
export async function readLog(folder: StorageFolder): Promise<RecoveredLog | null> {
  return (await readSegments(folder))?.log ?? null;
}

interface LastSegment {
  readonly content: SegmentContent;
  readonly bytes: Buffer;
}

async function readSegments(
  folder: StorageFolder,
): Promise<{ log: RecoveredLog; sequence: number; last: LastSegment } | null> {
  const sequences = (await folder.list())
    .map(segmentSequence)
    .filter((sequence) => sequence !== null)
    .sort((a, b) => a - b);
  const newestKnown = await readNewestSegment(folder);
  if (newestKnown !== null && (sequences.at(-1) ?? 0) < newestKnown) {
    const file = `${folder.path}/${segmentName(newestKnown)}`;
    throw new CorruptionError(file, 0, 'the newest segment of the log is missing');
  }
  const replay = new Replay();
  let previous: { sequence: number; end: number } | null = null;
  let last: LastSegment | null = null;
  for (const [at, sequence] of sequences.entries()) {
    const file = `${folder.path}/${segmentName(sequence)}`;
    const bytes = asBuffer(await folder.read(segmentName(sequence)));
    const content = readSegment(file, sequence, bytes);
    const { damage, end } = content.scan;
    if (damage !== null && !(damage.torn && at === sequences.length - 1)) {
      throw new CorruptionError(file, damage.offset, damage.what);
    }
    checkPredecessor(file, content, { sequence, previous });
    replay.segment(file, sequence, content);
    previous = { sequence, end };
    last = { content, bytes };
  }
  if (previous === null || last === null) return null;
  const { sequence, end } = previous;
  const surplus = last.bytes.length - end;
  const file = `${folder.path}/${segmentName(sequence)}`;
  const cut = surplus === 0 ? null : { file, offset: end, bytes: surplus };
  return { log: { ...replay.result(folder.path), end, newestKnown, cut }, sequence, last };
}

function checkPredecessor(
  file: string,
  content: SegmentContent,
  at: { sequence: number; previous: { sequence: number; end: number } | null },
): void {
  const { sequence, previous } = at;
  if (previous === null) return;
  if (previous.sequence !== sequence - 1) {
    const missing = segmentName(previous.sequence + 1);
    throw new CorruptionError(file, 0, `the segment ${missing} before it is missing`);
  }
  if (previous.end !== content.previousEnd) {
    throw new CorruptionError(
      file,
      0,
      `the segment before it ends at byte ${previous.end} instead of ${content.previousEnd}`,
    );
  }
}

/**
 * Cuts an unfinished write off and writes the last good frame again with the same bytes: the process
 * before may have died of a failed sync, after which the system can show data that the disk lacks.
 */
async function settleTail(
  folder: StorageFolder,
  sequence: number,
  last: LastSegment,
): Promise<void> {
  const { scan } = last.content;
  const file = await folder.open(segmentName(sequence));
  try {
    if (last.bytes.length > scan.end) await file.truncate(scan.end);
    const frame = scan.frames.at(-1);
    if (frame !== undefined) {
      await writeFully(file, last.bytes.subarray(frame.offset, frame.end), frame.offset);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Puts the records of all segments together, refusing what cannot follow. */
class Replay {
  #identity: Identity | null = null;
  #founding: Configuration | null = null;
  #hardState: HardState = { term: 0, vote: null, commit: 0 };
  readonly #entries: Entry[] = [];
  #nextIndex = 0;
  readonly #marks: LogMark[] = [];
  readonly #segments: SegmentInfo[] = [];

  segment(file: string, sequence: number, content: SegmentContent): void {
    const { firstIndex } = content;
    if (this.#segments.length === 0) this.#nextIndex = firstIndex;
    if (firstIndex !== this.#nextIndex) {
      throw new CorruptionError(
        file,
        0,
        `it begins with entry ${firstIndex} instead of ${this.#nextIndex}`,
      );
    }
    this.#segments.push({ sequence, firstIndex });
    for (const record of content.records) {
      const problem = this.#take(record);
      if (problem !== null) throw new CorruptionError(file, 0, problem);
    }
  }

  result(path: string): Omit<RecoveredLog, 'end' | 'newestKnown' | 'cut'> {
    if (this.#identity === null) throw new CorruptionError(path, 0, 'the log does not say whose');
    return {
      identity: this.#identity,
      founding: this.#founding,
      hardState: this.#hardState,
      entries: this.#entries,
      lastIndex: this.#nextIndex - 1,
      snapshotMarks: this.#marks,
      segments: this.#segments,
    };
  }

  #take(record: WalRecord): string | null {
    switch (record.kind) {
      case 'segment':
        return 'a second beginning inside a segment';
      case 'identity': {
        const known = this.#identity ?? record.identity;
        const same =
          known.clusterId === record.identity.clusterId &&
          known.nodeId === record.identity.nodeId &&
          known.folderId === record.identity.folderId;
        this.#identity = known;
        return same ? null : 'the segments belong to different nodes';
      }
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
        this.#marks.push(record.mark);
        return null;
    }
  }

  #takeEntry(entry: Entry): string | null {
    if (entry.index !== this.#nextIndex) {
      return `entry ${entry.index} stands where ${this.#nextIndex} belongs`;
    }
    if (entry.term < (this.#entries.at(-1)?.term ?? 0)) return 'the term falls along the log';
    if (entry.term > this.#hardState.term) return 'an entry is of a term that never began';
    this.#entries.push(entry);
    this.#nextIndex += 1;
    return null;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
