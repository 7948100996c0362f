import { crc32 } from 'node:zlib';

/**
 * A frame is what one write and one sync make durable: all of it counts or nothing. Layout, in
 * little-endian: a header of 32 bytes
 *
 *     0 crc of bytes 4 to 31, seeded with segment and offset   4 length of the payload
 *     8 crc of what follows the header                        12 sectors of the frame that are all zero
 *    16 up to where this segment was durable when the frame was written (64 bits)
 *    24 zero                                                  28 magic
 *
 * then the payload, zeros up to one byte below the next multiple of 32, and the byte 0xA5. A header
 * thus never straddles a sector, and no frame ends in a zero.
 *
 * Writes are strictly in turn, so only the last frame of the last segment can be unfinished. What an
 * unfinished write leaves: a file that ends inside the frame; zeros from somewhere up to its end; or
 * whole sectors of zeros. Anything else that fails its CRC was damaged after it had been durable,
 * and so was anything before a frame that calls it durable. What cannot be told from an unfinished
 * write or a shorter log: that frames at the very end of the log were lost as a whole, any number of
 * them, or that the last one was cut or had a sector go blank, after they had been durable. The log
 * therefore notes now and then how far it reaches (newest-segment.ts): what is lost below that is
 * seen, and so is a log that ends before an index known as committed. What was written since is not.
 */
const HEADER_BYTES = 32;
const ALIGN = 32;
const SECTOR_BYTES = 512;
const MAGIC = 0x4c575046;
const TRAILER = 0xa5;

/** Where a frame lies. The CRCs cover it, so a frame is valid in its own place only. */
export interface FramePlace {
  readonly segment: number;
  readonly offset: number;
}

export function encodeFrame(payload: Uint8Array, place: FramePlace, syncedUpTo: number): Buffer {
  const length = Math.ceil((HEADER_BYTES + payload.length + 1) / ALIGN) * ALIGN;
  const frame = Buffer.alloc(length);
  frame.set(payload, HEADER_BYTES);
  frame[length - 1] = TRAILER;
  frame.writeUInt32LE(payload.length, 4);
  frame.writeUInt32LE(crc32(frame.subarray(HEADER_BYTES)), 8);
  frame.writeUInt32LE(MAGIC, 28);
  frame.writeUInt32LE(zeroSectors(frame, place.offset), 12);
  frame.writeBigUInt64LE(BigInt(syncedUpTo), 16);
  frame.writeUInt32LE(headerCrc(frame, place), 0);
  return frame;
}

export interface Frame {
  readonly offset: number;
  /** Offset behind the frame. */
  readonly end: number;
  readonly payload: Buffer;
}

/** Why the frames of a segment end before its bytes do. */
export interface FrameDamage {
  readonly offset: number;
  /** An unfinished write, never acknowledged; otherwise damage to what was durable. */
  readonly torn: boolean;
  readonly what: string;
}

export interface FrameScan {
  readonly frames: readonly Frame[];
  /** Offset behind the last good frame. */
  readonly end: number;
  readonly damage: FrameDamage | null;
}

/** Reads frames from `start` until the bytes end or make no frame. */
export function scanFrames(bytes: Buffer, segment: number, start: number): FrameScan {
  const frames: Frame[] = [];
  let offset = start;
  while (offset < bytes.length) {
    const place = { segment, offset };
    const header = readHeader(bytes, place);
    if (header === null || !bodyIsWhole(bytes, offset, header)) {
      return { frames, end: offset, damage: judge(bytes, place, header) };
    }
    const from = offset + HEADER_BYTES;
    const payload = bytes.subarray(from, from + header.payloadLength);
    frames.push({ offset, end: header.end, payload });
    offset = header.end;
  }
  return { frames, end: offset, damage: null };
}

interface Header {
  readonly payloadLength: number;
  readonly bodyCrc: number;
  readonly zeroSectors: number;
  readonly syncedUpTo: number;
  readonly end: number;
}

function readHeader(bytes: Buffer, place: FramePlace): Header | null {
  const { offset } = place;
  if (offset + HEADER_BYTES > bytes.length) return null;
  const header = bytes.subarray(offset, offset + HEADER_BYTES);
  if (header.readUInt32LE(28) !== MAGIC) return null;
  if (header.readUInt32LE(0) !== headerCrc(header, place)) return null;
  const payloadLength = header.readUInt32LE(4);
  return {
    payloadLength,
    bodyCrc: header.readUInt32LE(8),
    zeroSectors: header.readUInt32LE(12),
    syncedUpTo: Number(header.readBigUInt64LE(16)),
    end: offset + Math.ceil((HEADER_BYTES + payloadLength + 1) / ALIGN) * ALIGN,
  };
}

function bodyIsWhole(bytes: Buffer, offset: number, header: Header): boolean {
  if (header.end > bytes.length) return false;
  return crc32(bytes.subarray(offset + HEADER_BYTES, header.end)) === header.bodyCrc;
}

function judge(bytes: Buffer, place: FramePlace, header: Header | null): FrameDamage {
  const { offset } = place;
  const witness = laterWitness(bytes, place);
  if (witness !== null) {
    const what = `a record fails its checksum, though a later one at byte ${witness} was written after it was durable`;
    return { offset, torn: false, what };
  }
  const torn =
    header === null ? headerIsUnfinished(bytes, offset) : bodyIsUnfinished(bytes, offset, header);
  const what = torn
    ? 'the last write was not finished'
    : 'the last record fails its checksum, but not as an unfinished write would';
  return { offset, torn, what };
}

/** Offset of a frame behind `place` that was written when `place` was durable already. */
function laterWitness(bytes: Buffer, place: FramePlace): number | null {
  const { segment } = place;
  for (let offset = place.offset + ALIGN; offset < bytes.length; offset += ALIGN) {
    const header = readHeader(bytes, { segment, offset });
    if (header !== null && header.syncedUpTo > place.offset) return offset;
  }
  return null;
}

function headerIsUnfinished(bytes: Buffer, offset: number): boolean {
  const used = lengthUntilZeros(bytes, offset);
  if (used <= HEADER_BYTES) return true;
  const sectorEnd = Math.min(bytes.length, nextSector(offset));
  return isZero(bytes.subarray(offset, sectorEnd));
}

function bodyIsUnfinished(bytes: Buffer, offset: number, header: Header): boolean {
  if (header.end > bytes.length) return true;
  if (lengthUntilZeros(bytes, header.end) > 0) return false;
  const frame = bytes.subarray(offset, header.end);
  return frame.at(-1) === 0 || zeroSectors(frame, offset) > header.zeroSectors;
}

/** Bytes from `offset` up to and with the last that is not zero. */
function lengthUntilZeros(bytes: Buffer, offset: number): number {
  let last = bytes.length - 1;
  while (last >= offset && bytes[last] === 0) last -= 1;
  return last + 1 - offset;
}

/** Sectors of the file that lie wholly in the frame, apart from the header, and are all zero. */
function zeroSectors(frame: Buffer, offset: number): number {
  let count = 0;
  for (let from = nextSector(offset) - offset; from < frame.length; from += SECTOR_BYTES) {
    if (isZero(frame.subarray(from, from + SECTOR_BYTES))) count += 1;
  }
  return count;
}

function nextSector(offset: number): number {
  return (Math.floor(offset / SECTOR_BYTES) + 1) * SECTOR_BYTES;
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function headerCrc(header: Buffer, place: FramePlace): number {
  const seed = Buffer.alloc(16);
  seed.writeBigUInt64LE(BigInt(place.segment), 0);
  seed.writeBigUInt64LE(BigInt(place.offset), 8);
  return crc32(header.subarray(4, HEADER_BYTES), crc32(seed));
}
