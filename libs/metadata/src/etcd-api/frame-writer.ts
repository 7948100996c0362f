/** What comes before each message on the wire of gRPC: not compressed, and its length in 32 bits. */
const HEADER_BYTES = 5;

/**
 * Several messages that go out in one write. grpc-js makes room for one message behind a header of
 * its own: it asks for the length, and has the bytes copied behind what it wrote. What is copied here
 * begins with the first message's header, in place of grpc-js's.
 */
export class FrameBatch {
  constructor(private readonly bytes: Buffer) {}

  get byteLength(): number {
    return this.bytes.length - HEADER_BYTES;
  }

  copy(target: Buffer, at: number): void {
    this.bytes.copy(target, at - HEADER_BYTES);
  }
}

/** Collects messages, each in two parts of which the first may be shared, for one write. */
export class FrameWriter {
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  /** Bytes of all messages and their headers. */
  get bytes(): number {
    return this.#bytes;
  }

  add(message: Uint8Array, rest: Uint8Array): void {
    this.#parts.push(message, rest);
    this.#bytes += HEADER_BYTES + message.length + rest.length;
  }

  /** At least one message was added. */
  batch(): FrameBatch {
    const bytes = Buffer.allocUnsafe(this.#bytes);
    let at = 0;
    for (let i = 0; i + 1 < this.#parts.length; i += 2) {
      const [message, rest] = [this.#parts[i] ?? NOTHING, this.#parts[i + 1] ?? NOTHING];
      bytes[at] = 0;
      bytes.writeUInt32BE(message.length + rest.length, at + 1);
      bytes.set(message, at + HEADER_BYTES);
      bytes.set(rest, at + HEADER_BYTES + message.length);
      at += HEADER_BYTES + message.length + rest.length;
    }
    return new FrameBatch(bytes);
  }
}

export const NOTHING = new Uint8Array(0);
