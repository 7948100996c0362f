import type { NodeId } from '../../core/index.js';
import { ByteWriter } from '../bytes.js';
import type { ByteReader } from '../bytes.js';
import { readId, strictly } from './message-codec.js';
import { ProtocolError } from './protocol-error.js';

/** Longest payload of a frame before both sides know each other. */
export const HANDSHAKE_FRAME_BYTES = 4096;

/** Longest payload of a frame from one that is not known and asks something. */
export const QUESTION_FRAME_BYTES = 512 * 1024;

/** Stands in the greeting of a node that joins where a member names its cluster or folder. */
export const NOT_YET_KNOWN = 'unknown';

/** "PAWL" as it lies on the wire. */
const MAGIC = 0x4c574150;

/** Of frames and messages. A node speaks all from the oldest to the newest. */
export const PROTOCOL = { oldest: 1, newest: 1 } as const;

/** Who a node is. `folderId` is random for each data folder: it tells two nodes of one id apart. */
export interface NodeIdentity {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly folderId: string;
}

/**
 * `identity`: only to learn who answers; from anybody, also of no cluster. `question`: to ask one thing;
 * from anybody of the cluster, also of whom the other side does not know.
 */
export type Purpose = 'messages' | 'snapshot' | 'identity' | 'question';
/** The order is that of their numbers on the wire. */
const PURPOSES: readonly Purpose[] = ['messages', 'snapshot', 'identity', 'question'];

export interface Hello {
  readonly oldest: number;
  readonly newest: number;
  readonly purpose: Purpose;
  readonly self: NodeIdentity;
  /** Whom the sender believes to have reached. */
  readonly target: NodeId;
}

export interface Welcome {
  readonly version: number;
  readonly self: NodeIdentity;
}

export function encodeHello({ oldest, newest, purpose, self, target }: Hello): Buffer {
  const writer = new ByteWriter().u32(MAGIC).u8(oldest).u8(newest).u8(PURPOSES.indexOf(purpose));
  writeIdentity(writer, self);
  return writer.text(target).done();
}

export function decodeHello(bytes: Uint8Array): Hello {
  return strictly(bytes, (reader) => {
    checkMagic(reader);
    const [oldest, newest] = [reader.u8(), reader.u8()];
    const purpose = PURPOSES[reader.u8()];
    if (purpose === undefined) throw new ProtocolError('a connection for an unknown purpose');
    return { oldest, newest, purpose, self: readIdentity(reader), target: readId(reader) };
  });
}

export function encodeWelcome({ version, self }: Welcome): Buffer {
  const writer = new ByteWriter().u32(MAGIC).u8(version);
  writeIdentity(writer, self);
  return writer.done();
}

export function decodeWelcome(bytes: Uint8Array): Welcome {
  return strictly(bytes, (reader) => {
    checkMagic(reader);
    return { version: reader.u8(), self: readIdentity(reader) };
  });
}

/** The newest version that both sides speak; `null` when there is none. */
export function commonVersion(theirs: Pick<Hello, 'oldest' | 'newest'>): number | null {
  const version = Math.min(theirs.newest, PROTOCOL.newest);
  return version >= Math.max(theirs.oldest, PROTOCOL.oldest) ? version : null;
}

function writeIdentity(writer: ByteWriter, { clusterId, id, folderId }: NodeIdentity): void {
  writer.text(clusterId).text(id).text(folderId);
}

function readIdentity(reader: ByteReader): NodeIdentity {
  const [clusterId, id, folderId] = [readId(reader), readId(reader), readId(reader)];
  return { id, clusterId, folderId };
}

function checkMagic(reader: ByteReader): void {
  if (reader.u32() !== MAGIC) throw new ProtocolError('not the peer protocol of Pawl');
}
