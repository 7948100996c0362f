import { crc32 } from 'node:zlib';
import { ByteWriter } from '../bytes.js';
import { ProtocolError } from './protocol-error.js';

/**
 * Everything between two nodes travels in frames. Layout, in little-endian: length of the payload
 * (32 bits), CRC of the payload seeded with that length (32 bits), payload: kind (8 bits) and body.
 */
const HEADER_BYTES = 8;

/** What a frame adds to its body. */
export const FRAME_OVERHEAD = HEADER_BYTES + 1;

/** Memory that an unfinished frame takes at first; grows with what arrives, not with what is announced. */
const FIRST_BYTES = 4096;

export const FRAME = {
  /** First from the side that connected: who it is and what it wants. */
  hello: 1,
  /** First from the side that accepted: who it is. */
  welcome: 2,
  /** Instead of that, or of `snapshotReceived`: why not, for people. */
  refusal: 3,
  message: 4,
  /** From the side that connected, at intervals. */
  ping: 5,
  /** From the side that accepted, now and then while anything arrives. */
  heard: 6,
  snapshotBegin: 7,
  snapshotChunk: 8,
  snapshotEnd: 9,
  /** The whole state arrived and was what had been sent. */
  snapshotReceived: 10,
  /** From the side that connected: a number (64 bits) and what its host asks. */
  request: 11,
  /** The answer: that number, 1 for an answer or 0 for a failure, and what the host says, or why. */
  response: 12,
} as const;

export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

/** Appends one frame, whose body `writeBody` appends. */
export function writeFrame(
  writer: ByteWriter,
  kind: FrameKind,
  writeBody: (writer: ByteWriter) => void,
): void {
  const start = writer.done().length;
  writer.u32(0).u32(0).u8(kind);
  writeBody(writer);
  const frame = writer.done().subarray(start);
  const length = frame.length - HEADER_BYTES;
  frame.writeUInt32LE(length, 0);
  frame.writeUInt32LE(crc32(frame.subarray(HEADER_BYTES), length), 4);
}

/** A frame by itself. */
export function oneFrame(kind: FrameKind, body: Uint8Array = new Uint8Array()): Buffer {
  const writer = new ByteWriter(FRAME_OVERHEAD + body.length);
  writeFrame(writer, kind, (to) => to.raw(body));
  return writer.done();
}

export interface ReceivedFrame {
  /** Of {@link FRAME}, or unknown. */
  readonly kind: number;
  /** Shares memory with what was received: copy what is to stay. */
  readonly body: Buffer;
}

/** Finds the frames in a stream, however it is cut. */
export class FrameReader {
  /** Of the payload. */
  maxBytes: number;
  #partial: Buffer = Buffer.alloc(0);
  #filled = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** The frames that `chunk` completes; throws a {@link ProtocolError} at the first that is none. */
  *read(chunk: Buffer): Generator<ReceivedFrame, void> {
    let at = 0;
    while (at < chunk.length) {
      const end = this.#filled === 0 ? at + this.#frameBytes(chunk, at, chunk.length) : Infinity;
      if (end <= chunk.length) {
        yield verified(chunk.subarray(at, end));
        at = end;
        continue;
      }
      at += this.#keep(chunk.subarray(at));
      if (this.#filled === this.#frameBytes(this.#partial, 0, this.#filled)) {
        const frame = this.#partial.subarray(0, this.#filled);
        this.#partial = Buffer.alloc(0);
        this.#filled = 0;
        yield verified(frame);
      }
    }
  }

  /** Of the frame that starts at `at`; infinite while its length has not arrived. */
  #frameBytes(bytes: Buffer, at: number, end: number): number {
    if (end - at < HEADER_BYTES) return Infinity;
    const length = bytes.readUInt32LE(at);
    if (length === 0) throw new ProtocolError('an empty frame');
    if (length > this.maxBytes) {
      throw new ProtocolError(`a frame of ${length} bytes, above the limit of ${this.maxBytes}`);
    }
    return HEADER_BYTES + length;
  }

  /** Takes what belongs to the unfinished frame; answers how much. */
  #keep(rest: Buffer): number {
    const whole = this.#frameBytes(this.#partial, 0, this.#filled);
    const wanted = (whole === Infinity ? HEADER_BYTES : whole) - this.#filled;
    const taken = Math.min(wanted, rest.length);
    const needed = this.#filled + taken;
    if (needed > this.#partial.length) {
      const doubled = Math.max(needed, FIRST_BYTES, this.#partial.length * 2);
      const larger = Buffer.allocUnsafeSlow(Math.min(whole, doubled));
      this.#partial.copy(larger, 0, 0, this.#filled);
      this.#partial = larger;
    }
    rest.copy(this.#partial, this.#filled, 0, taken);
    this.#filled = needed;
    return taken;
  }
}

function verified(frame: Buffer): ReceivedFrame {
  const payload = frame.subarray(HEADER_BYTES);
  if (crc32(payload, payload.length) !== frame.readUInt32LE(4)) {
    throw new ProtocolError('a frame that fails its checksum');
  }
  return { kind: payload.readUInt8(0), body: payload.subarray(1) };
}
