import { crc32 } from 'node:zlib';
import { decodeConfiguration, encodeConfiguration, foundedBy } from '../core/index.js';
import type { SnapshotMark } from '../core/index.js';
import { ByteReader, ByteWriter } from './bytes.js';
import { CorruptionError, WrongFolderError } from './node-errors.js';
import type { StorageFile, StorageFolder } from './storage-folder.port.js';
import { writeFully } from './storage-folder.port.js';
import type { Identity } from './wal-record.js';

/**
 * Format 1 had no configuration: its only voter was the node that wrote it. Up to format 2 the state's
 * length stood before it.
 */
const SNAPSHOT_FORMAT = 3;
const HEADER_BYTES = 48;
const MAGIC = Buffer.from('PAWL-SNP');
const NAME = /^snap-([0-9a-f]{16})\.bin$/;
/** Synced now and then, so that the log's own syncs never wait for a whole snapshot. */
const SYNC_BYTES = 4 * 1024 * 1024;
/** The newest and one to fall back on. */
const KEPT = 2;

export interface StoredSnapshot {
  readonly mark: SnapshotMark;
  readonly identity: Identity;
  readonly state: Uint8Array;
}

/** A snapshot that is to be written; its state comes in pieces. */
export interface NewSnapshot extends Omit<StoredSnapshot, 'state'> {
  readonly state: Iterable<Uint8Array>;
  /** Asked between pieces: whether nobody wants it any more. */
  readonly abandoned: () => boolean;
}

/**
 * Snapshot files, one per index. Layout: a header of 48 bytes (magic, format, CRC of the header,
 * index, term, length of what follows, its CRC), then the identity, the configuration and the state. A
 * file has its name only once it is whole and durable.
 */
export class SnapshotFiles {
  constructor(readonly folder: StorageFolder) {}

  /** Indexes of the snapshots that are there, newest first. */
  async indexes(): Promise<number[]> {
    const found: number[] = [];
    for (const name of await this.folder.list()) {
      const digits = NAME.exec(name)?.[1];
      if (digits !== undefined) found.push(Number.parseInt(digits, 16));
    }
    return found.sort((a, b) => b - a);
  }

  /** Throws a {@link CorruptionError} when the file is not what was written. */
  async read(index: number): Promise<StoredSnapshot> {
    const file = `${this.folder.path}/${snapshotName(index)}`;
    const bytes = Buffer.from(await this.folder.read(snapshotName(index)));
    const { format, term, body, ...header } = readHeader(file, bytes);
    if (header.index !== index) throw new CorruptionError(file, 0, 'it is of another index');
    const reader = new ByteReader(body);
    const [clusterId, nodeId, folderId] = [reader.text(), reader.text(), reader.text()];
    const configuration = format === 1 ? foundedBy([nodeId]) : decodeConfiguration(reader.sized());
    const mark = { index, term, configuration };
    const state =
      format < 3 ? reader.sized() : new Uint8Array(body.subarray(body.length - reader.left));
    return { mark, identity: { clusterId, nodeId, folderId }, state };
  }

  /** Resolves once the snapshot is durable under its name, or is given up: false. */
  async write(snapshot: NewSnapshot): Promise<boolean> {
    const name = snapshotName(snapshot.mark.index);
    const file = await this.folder.create(`${name}.tmp`);
    let whole: boolean;
    try {
      whole = await writeBody(file, snapshot);
    } finally {
      await file.close();
    }
    if (whole) await this.folder.rename(`${name}.tmp`, name);
    else await this.folder.remove(`${name}.tmp`);
    await this.folder.sync();
    return whole;
  }

  /** Takes a damaged snapshot's name from it, so that nobody counts on it. */
  async setAside(index: number): Promise<void> {
    await this.folder.rename(snapshotName(index), `${snapshotName(index)}.damaged`);
    await this.folder.sync();
  }

  /** Removes all but the newest two; answers the index of the older one kept, 0 if there is none. */
  async prune(): Promise<number> {
    const indexes = await this.indexes();
    const surplus = indexes.slice(KEPT);
    for (const index of surplus) await this.folder.remove(snapshotName(index));
    if (surplus.length > 0) await this.folder.sync();
    return indexes[KEPT - 1] ?? 0;
  }
}

function snapshotName(index: number): string {
  return `snap-${index.toString(16).padStart(16, '0')}.bin`;
}

/** Writes the header last, when length and CRC are known. Answers false when it was given up. */
async function writeBody(file: StorageFile, snapshot: NewSnapshot): Promise<boolean> {
  const { clusterId, nodeId, folderId } = snapshot.identity;
  const { mark, state, abandoned } = snapshot;
  const head = new ByteWriter()
    .text(clusterId)
    .text(nodeId)
    .text(folderId)
    .sized(encodeConfiguration(mark.configuration))
    .done();
  let end = HEADER_BYTES;
  let crc = 0;
  let unsynced = 0;
  const add = async (piece: Uint8Array): Promise<void> => {
    await writeFully(file, piece, end);
    crc = crc32(piece, crc);
    end += piece.length;
    unsynced += piece.length;
    if (unsynced < SYNC_BYTES) return;
    unsynced = 0;
    await file.sync();
  };
  await add(head);
  for (const piece of state) {
    if (abandoned()) return false;
    await add(piece);
  }
  await writeFully(file, encodeHeader(mark, end - HEADER_BYTES, crc), 0);
  await file.sync();
  return true;
}

function encodeHeader(mark: SnapshotMark, bodyBytes: number, bodyCrc: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.set(MAGIC, 0);
  header.writeUInt32LE(SNAPSHOT_FORMAT, 8);
  header.writeBigUInt64LE(BigInt(mark.index), 16);
  header.writeBigUInt64LE(BigInt(mark.term), 24);
  header.writeBigUInt64LE(BigInt(bodyBytes), 32);
  header.writeUInt32LE(bodyCrc, 40);
  header.writeUInt32LE(crc32(header), 12);
  return header;
}

interface SnapshotHeader {
  readonly format: number;
  readonly index: number;
  readonly term: number;
  readonly body: Buffer;
}

function readHeader(file: string, bytes: Buffer): SnapshotHeader {
  if (bytes.length < HEADER_BYTES) throw new CorruptionError(file, 0, 'the file is too short');
  const header = Buffer.from(bytes.subarray(0, HEADER_BYTES));
  const stored = header.readUInt32LE(12);
  header.writeUInt32LE(0, 12);
  if (!header.subarray(0, 8).equals(MAGIC) || stored !== crc32(header)) {
    throw new CorruptionError(file, 0, 'the header fails its checksum');
  }
  const format = header.readUInt32LE(8);
  if (format < 1 || format > SNAPSHOT_FORMAT) {
    throw new WrongFolderError(
      `${file} is of format ${format}, this version of Pawl reads formats up to ${SNAPSHOT_FORMAT}; start the version that wrote it`,
    );
  }
  const body = bytes.subarray(HEADER_BYTES);
  if (body.length !== Number(header.readBigUInt64LE(32))) {
    throw new CorruptionError(file, bytes.length, 'the file has another length than was written');
  }
  if (crc32(body) !== header.readUInt32LE(40)) {
    throw new CorruptionError(file, HEADER_BYTES, 'the state fails its checksum');
  }
  const index = Number(header.readBigUInt64LE(16));
  return { format, index, term: Number(header.readBigUInt64LE(24)), body };
}
