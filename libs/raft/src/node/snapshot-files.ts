import { crc32 } from 'node:zlib';
import { assert } from '@pawl/kernel';
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
const RECEIVED_NAME = /^snap-([0-9a-f]{16})\.bin\.received$/;
/** Synced now and then, so that the log's own syncs never wait for a whole snapshot. */
const SYNC_BYTES = 4 * 1024 * 1024;
/** Of a state that is sent on. */
const READ_BYTES = 256 * 1024;
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

/** A snapshot as it lies in its file, to be sent on. */
export interface SnapshotExtent {
  readonly mark: SnapshotMark;
  readonly stateBytes: number;
}

/**
 * Snapshot files, one per index. Layout: a header of 48 bytes (magic, format, CRC of the header,
 * index, term, length of what follows, its CRC), then the identity, the configuration and the state. A
 * file has its name only once it is whole and durable. One that a leader sent has a name of its own
 * until the log says that it took the log's place.
 */
export class SnapshotFiles {
  constructor(readonly folder: StorageFolder) {}

  /** Indexes of the snapshots that are there, newest first. */
  async indexes(): Promise<number[]> {
    return this.#named(NAME);
  }

  /** Indexes of those that a leader sent and that have not got their name, newest first. */
  async received(): Promise<number[]> {
    return this.#named(RECEIVED_NAME);
  }

  /** Throws a {@link CorruptionError} when the file is not what was written. */
  async read(index: number, received = false): Promise<StoredSnapshot> {
    const name = received ? receivedName(index) : snapshotName(index);
    const file = `${this.folder.path}/${name}`;
    const bytes = Buffer.from(await this.folder.read(name));
    const header = readHeader(file, bytes);
    checkBody(file, header, bytes);
    if (header.index !== index) throw new CorruptionError(file, 0, 'it is of another index');
    const { format, term } = header;
    const body = bytes.subarray(HEADER_BYTES);
    const reader = new ByteReader(body);
    const [clusterId, nodeId, folderId] = [reader.text(), reader.text(), reader.text()];
    const configuration = format === 1 ? foundedBy([nodeId]) : decodeConfiguration(reader.sized());
    const mark = { index, term, configuration };
    const state =
      format < 3 ? reader.sized() : new Uint8Array(body.subarray(body.length - reader.left));
    return { mark, identity: { clusterId, nodeId, folderId }, state };
  }

  /** Resolves once the snapshot is durable under its name; null when it is given up. */
  write(snapshot: NewSnapshot): Promise<SnapshotExtent | null> {
    return this.#write(snapshot, snapshotName(snapshot.mark.index));
  }

  /** Resolves once a leader's snapshot is durable; it counts only after {@link adopt}. */
  async receive(snapshot: StoredSnapshot): Promise<SnapshotExtent> {
    const { mark, identity, state } = snapshot;
    const extent = await this.#write(
      { mark, identity, state: [state], abandoned: () => false },
      receivedName(mark.index),
    );
    assert(extent !== null, 'a received snapshot is not given up');
    return extent;
  }

  /** Gives a leader's snapshot its name, now that the log says it took the log's place. */
  async adopt(index: number): Promise<void> {
    await this.folder.rename(receivedName(index), snapshotName(index));
    await this.folder.sync();
  }

  /** Removes what a leader sent and what the log does not know of. */
  async discardReceived(index: number): Promise<void> {
    await this.folder.remove(receivedName(index));
    await this.folder.sync();
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

  /** The state of a snapshot in pieces; throws at the end when they are not what was written. */
  async *stateOf({ mark, stateBytes }: SnapshotExtent): AsyncGenerator<Uint8Array> {
    const name = snapshotName(mark.index);
    const file = await this.folder.open(name);
    try {
      const path = `${this.folder.path}/${name}`;
      const header = readHeader(path, await readUpTo(file, 0, HEADER_BYTES));
      const stateFrom = HEADER_BYTES + header.bodyBytes - stateBytes;
      const prefix = await readUpTo(file, HEADER_BYTES, stateFrom - HEADER_BYTES);
      let crc = crc32(prefix);
      for (let at = stateFrom; at < stateFrom + stateBytes; at += READ_BYTES) {
        const left = stateFrom + stateBytes - at;
        const piece = await readUpTo(file, at, Math.min(READ_BYTES, left));
        crc = crc32(piece, crc);
        if (left <= READ_BYTES && crc !== header.bodyCrc) throw stateIsDamaged(path);
        yield piece;
      }
    } finally {
      await file.close();
    }
  }

  async #named(pattern: RegExp): Promise<number[]> {
    const found: number[] = [];
    for (const name of await this.folder.list()) {
      const digits = pattern.exec(name)?.[1];
      if (digits !== undefined) found.push(Number.parseInt(digits, 16));
    }
    return found.sort((a, b) => b - a);
  }

  async #write(snapshot: NewSnapshot, name: string): Promise<SnapshotExtent | null> {
    const file = await this.folder.create(`${name}.tmp`);
    let stateBytes: number | null;
    try {
      stateBytes = await writeBody(file, snapshot);
    } finally {
      await file.close();
    }
    if (stateBytes === null) await this.folder.remove(`${name}.tmp`);
    else await this.folder.rename(`${name}.tmp`, name);
    await this.folder.sync();
    return stateBytes === null ? null : { mark: snapshot.mark, stateBytes };
  }
}

function snapshotName(index: number): string {
  return `snap-${index.toString(16).padStart(16, '0')}.bin`;
}

function receivedName(index: number): string {
  return `${snapshotName(index)}.received`;
}

/** All of `length` bytes at `offset`, or as many as there are. */
async function readUpTo(file: StorageFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const taken = await file.read(bytes.subarray(done), offset + done);
    if (taken === 0) break;
    done += taken;
  }
  return bytes.subarray(0, done);
}

/** Writes the header last, when length and CRC are known. Answers the state's length, null if given up. */
async function writeBody(file: StorageFile, snapshot: NewSnapshot): Promise<number | null> {
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
    if (abandoned()) return null;
    await add(piece);
  }
  await writeFully(file, encodeHeader(mark, end - HEADER_BYTES, crc), 0);
  await file.sync();
  return end - HEADER_BYTES - head.length;
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
  readonly bodyBytes: number;
  readonly bodyCrc: number;
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
  return {
    format,
    index: Number(header.readBigUInt64LE(16)),
    term: Number(header.readBigUInt64LE(24)),
    bodyBytes: Number(header.readBigUInt64LE(32)),
    bodyCrc: header.readUInt32LE(40),
  };
}

function checkBody(file: string, header: SnapshotHeader, bytes: Buffer): void {
  const body = bytes.subarray(HEADER_BYTES);
  if (body.length !== header.bodyBytes) {
    throw new CorruptionError(file, bytes.length, 'the file has another length than was written');
  }
  if (crc32(body) !== header.bodyCrc) throw stateIsDamaged(file);
}

function stateIsDamaged(file: string): CorruptionError {
  return new CorruptionError(file, HEADER_BYTES, 'the state fails its checksum');
}
