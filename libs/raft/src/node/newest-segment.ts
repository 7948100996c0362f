import { crc32 } from 'node:zlib';
import { CorruptionError, WrongFolderError } from './node-errors.js';
import type { StorageFolder } from './storage-folder.port.js';
import { writeFully } from './storage-folder.port.js';

/** Holds how far the log reached. */
const NAME = 'newest-segment.bin';
/** Format 1 had no offset. */
const FORMAT = 2;
const BYTES = { 1: 24, 2: 32 } as const;
const MAGIC = Buffer.from('PAWL-NEW');

/** A place in the log up to which everything is durable. */
export interface LogReach {
  /** Number of a segment: the newest that was written to when this was noted. */
  readonly segment: number;
  /** Offset in it, behind a frame; 0 where nobody noted one. */
  readonly end: number;
}

/**
 * How far the log reached at least; null: nobody noted it, as before a new log's first use. Without it
 * a log that lost its newest segment, or the frames at its end, would look like one that never had
 * them. Throws a {@link CorruptionError} when the file is not what was written.
 */
export async function readLogReach(folder: StorageFolder): Promise<LogReach | null> {
  if (!(await folder.list()).includes(NAME)) return null;
  const file = `${folder.path}/${NAME}`;
  const bytes = Buffer.from(await folder.read(NAME));
  if (bytes.length < BYTES[1]) throw new CorruptionError(file, 0, 'it has another length');
  const stored = bytes.readUInt32LE(12);
  bytes.writeUInt32LE(0, 12);
  if (!bytes.subarray(0, 8).equals(MAGIC) || stored !== crc32(bytes)) {
    throw new CorruptionError(file, 0, 'it fails its checksum');
  }
  const format = bytes.readUInt32LE(8);
  if (format !== 1 && format !== FORMAT) {
    throw new WrongFolderError(
      `${file} is of format ${format}, this version of Pawl reads formats up to ${FORMAT}; start the version that wrote it`,
    );
  }
  if (bytes.length !== BYTES[format]) throw new CorruptionError(file, 0, 'it has another length');
  const end = format === 1 ? 0 : Number(bytes.readBigUInt64LE(24));
  return { segment: Number(bytes.readBigUInt64LE(16)), end };
}

/**
 * Resolves once it is durable. What it names has to be durable before, and it has to be noted before a
 * new segment is written to.
 */
export async function writeLogReach(folder: StorageFolder, reach: LogReach): Promise<void> {
  const bytes = Buffer.alloc(BYTES[FORMAT]);
  bytes.set(MAGIC, 0);
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeBigUInt64LE(BigInt(reach.segment), 16);
  bytes.writeBigUInt64LE(BigInt(reach.end), 24);
  bytes.writeUInt32LE(crc32(bytes), 12);
  const file = await folder.create(`${NAME}.tmp`);
  try {
    await writeFully(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await folder.rename(`${NAME}.tmp`, NAME);
  await folder.sync();
}
