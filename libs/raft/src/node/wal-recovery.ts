import { assert } from '@pawl/kernel';
import { readLogReach } from './newest-segment.js';
import type { LogReach } from './newest-segment.js';
import { CorruptionError } from './node-errors.js';
import type { StorageFolder } from './storage-folder.port.js';
import { writeFully } from './storage-folder.port.js';
import type { FrameScan } from './wal-frame.js';
import { readSegment, segmentName, segmentSequence } from './wal-segment.js';
import type { SegmentContent } from './wal-segment.js';
import { WalReplay } from './wal-replay.js';
import type { ReplayedLog } from './wal-replay.js';

/** What the log held, up to the last finished write. */
export interface RecoveredLog extends ReplayedLog {
  /** Length of the last segment. */
  readonly end: number;
  /** How far it reached at least, as was noted; null in a log that never was used. */
  readonly noted: LogReach | null;
  /** An unfinished write that was cut off the end; it was never acknowledged. */
  readonly cut: { readonly file: string; readonly offset: number; readonly bytes: number } | null;
  /** The last good frame of the last segment. */
  readonly lastFrame: { readonly offset: number; readonly bytes: Uint8Array };
}

/**
 * Reads all segments and changes none; null when there is none. An unfinished write at the very end is
 * left out of what is read, any other damage is a {@link CorruptionError}.
 */
export async function readLog(folder: StorageFolder): Promise<RecoveredLog | null> {
  const sequences = (await folder.list())
    .map(segmentSequence)
    .filter((sequence) => sequence !== null)
    .sort((a, b) => a - b);
  const noted = await readLogReach(folder);
  if (noted !== null && (sequences.at(-1) ?? 0) < noted.segment) {
    const file = `${folder.path}/${segmentName(noted.segment)}`;
    throw new CorruptionError(file, 0, 'the newest segment of the log is missing');
  }
  const replay = new WalReplay();
  let previous: { sequence: number; end: number } | null = null;
  let last: { readonly scan: FrameScan; readonly bytes: Buffer } | null = null;
  for (const [at, sequence] of sequences.entries()) {
    const file = `${folder.path}/${segmentName(sequence)}`;
    const bytes = asBuffer(await folder.read(segmentName(sequence)));
    const content = readSegment(file, sequence, bytes);
    const { damage, end } = content.scan;
    if (damage !== null && !(damage.torn && at === sequences.length - 1)) {
      throw new CorruptionError(file, damage.offset, damage.what);
    }
    if (sequence === noted?.segment && end < noted.end) {
      const what = `what is whole ends there, though the log was durable up to byte ${noted.end}`;
      throw new CorruptionError(file, end, what);
    }
    checkPredecessor(file, content, { sequence, previous });
    replay.segment(file, sequence, content);
    previous = { sequence, end };
    last = { scan: content.scan, bytes };
  }
  if (previous === null || last === null) return null;
  const { sequence, end } = previous;
  const surplus = last.bytes.length - end;
  const file = `${folder.path}/${segmentName(sequence)}`;
  const cut = surplus === 0 ? null : { file, offset: end, bytes: surplus };
  const frame = last.scan.frames.at(-1);
  assert(frame !== undefined, 'a segment begins with a frame');
  const lastFrame = { offset: frame.offset, bytes: last.bytes.subarray(frame.offset, frame.end) };
  return { ...replay.result(folder.path), end, noted, cut, lastFrame };
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
 * Doing it twice, also after a crash in the middle, gives the same.
 */
export async function settleTail(folder: StorageFolder, log: RecoveredLog): Promise<void> {
  const { segments, end, cut, lastFrame } = log;
  const file = await folder.open(segmentName(segments.at(-1)?.sequence ?? 0));
  try {
    if (cut !== null) await file.truncate(end);
    await writeFully(file, lastFrame.bytes, lastFrame.offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
