import { crc32 } from 'node:zlib';
import { CorruptionError, WrongFolderError } from './node-errors.js';
import type { StorageFolder } from './storage-folder.port.js';
import { writeFully } from './storage-folder.port.js';

/** Holds the number of the newest segment that was written to. */
const NAME = 'newest-segment.bin';
const FORMAT = 1;
const BYTES = 24;
const MAGIC = Buffer.from('PAWL-NEW');

/**
 * The number of the newest segment that may hold something acknowledged; null: nobody wrote one
 * down, as before a new log's first use. Without it a log that lost its newest segment as a whole
 * would look like one that never had it. Throws a {@link CorruptionError} when the file is not what
 * was written.
 */
export async function readNewestSegment(folder: StorageFolder): Promise<number | null> {
  if (!(await folder.list()).includes(NAME)) return null;
  const file = `${folder.path}/${NAME}`;
  const bytes = Buffer.from(await folder.read(NAME));
  if (bytes.length !== BYTES) throw new CorruptionError(file, 0, 'it has another length');
  const stored = bytes.readUInt32LE(12);
  bytes.writeUInt32LE(0, 12);
  if (!bytes.subarray(0, 8).equals(MAGIC) || stored !== crc32(bytes)) {
    throw new CorruptionError(file, 0, 'it fails its checksum');
  }
  const format = bytes.readUInt32LE(8);
  if (format !== FORMAT) {
    throw new WrongFolderError(
      `${file} is of format ${format}, this version of Pawl reads format ${FORMAT}; start the version that wrote it`,
    );
  }
  return Number(bytes.readBigUInt64LE(16));
}

/** Resolves once the number is durable, which it has to be before that segment is written to. */
export async function writeNewestSegment(folder: StorageFolder, sequence: number): Promise<void> {
  const bytes = Buffer.alloc(BYTES);
  bytes.set(MAGIC, 0);
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeBigUInt64LE(BigInt(sequence), 16);
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
