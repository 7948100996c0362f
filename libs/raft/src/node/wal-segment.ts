import { crc32 } from 'node:zlib';
import { CorruptionError, WrongFolderError } from './node-errors.js';
import { encodeFrame, scanFrames } from './wal-frame.js';
import type { FrameScan } from './wal-frame.js';
import { decodeRecords, encodeRecords } from './wal-record.js';
import type { WalRecord } from './wal-record.js';

/** Version of the layout of segments, frames and records. */
const WAL_FORMAT = 1;
const PREAMBLE_BYTES = 32;
const MAGIC = Buffer.from('PAWL-WAL');
const NAME = /^wal-([0-9a-f]{16})\.log$/;

/** Segments are numbered 1, 2, 3 … */
export function segmentName(sequence: number): string {
  return `wal-${sequence.toString(16).padStart(16, '0')}.log`;
}

/** The number in a segment's name, or null for another file. */
export function segmentSequence(name: string): number | null {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 16);
}

/** A new segment: its preamble and a first frame. */
export function encodeSegment(sequence: number, records: readonly WalRecord[]): Buffer {
  const preamble = Buffer.alloc(PREAMBLE_BYTES);
  preamble.set(MAGIC, 0);
  preamble.writeUInt32LE(WAL_FORMAT, 8);
  preamble.writeBigUInt64LE(BigInt(sequence), 16);
  preamble.writeUInt32LE(crc32(preamble), 12);
  const place = { segment: sequence, offset: PREAMBLE_BYTES };
  return Buffer.concat([preamble, encodeFrame(encodeRecords(records), place, 0)]);
}

export interface SegmentContent {
  readonly scan: FrameScan;
  readonly firstIndex: number;
  /** Length of the segment before, 0 for the very first. */
  readonly previousEnd: number;
  /** The records of each frame, in order, without the very first. */
  readonly batches: readonly (readonly WalRecord[])[];
}

/** Reads a segment as far as it is good. The file is named in errors. */
export function readSegment(file: string, sequence: number, bytes: Buffer): SegmentContent {
  checkPreamble(file, sequence, bytes);
  const scan = scanFrames(bytes, sequence, PREAMBLE_BYTES);
  const batches: WalRecord[][] = [];
  for (const frame of scan.frames) {
    try {
      batches.push(decodeRecords(frame.payload));
    } catch (error) {
      throw new CorruptionError(file, frame.offset, `${(error as Error).message} in a record`);
    }
  }
  const first = batches[0]?.shift();
  if (first?.kind !== 'segment') {
    throw new CorruptionError(file, PREAMBLE_BYTES, 'the segment does not begin as it was written');
  }
  return { scan, firstIndex: first.firstIndex, previousEnd: first.previousEnd, batches };
}

function checkPreamble(file: string, sequence: number, bytes: Buffer): void {
  if (bytes.length < PREAMBLE_BYTES) throw new CorruptionError(file, 0, 'the file is too short');
  const preamble = Buffer.from(bytes.subarray(0, PREAMBLE_BYTES));
  const stored = preamble.readUInt32LE(12);
  preamble.writeUInt32LE(0, 12);
  const named = Number(preamble.readBigUInt64LE(16));
  if (!preamble.subarray(0, 8).equals(MAGIC) || stored !== crc32(preamble) || named !== sequence) {
    throw new CorruptionError(file, 0, 'this is not the beginning of the segment of that name');
  }
  const format = preamble.readUInt32LE(8);
  if (format !== WAL_FORMAT) {
    throw new WrongFolderError(
      `${file} is of format ${format}, this version of Pawl reads format ${WAL_FORMAT}; start the version that wrote it`,
    );
  }
}
