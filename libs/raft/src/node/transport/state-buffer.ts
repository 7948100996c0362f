const BLOCK_BYTES = 1024 * 1024;
/** Copied in one turn of the event loop. */
const TURN_BLOCKS = 8;

/** Collects a state of known length; takes memory for what arrived, not for what was announced. */
export class StateBuffer {
  #blocks: Buffer[] = [];
  #filled = 0;

  constructor(readonly length: number) {}

  get filled(): number {
    return this.#filled;
  }

  /** Copies `bytes`; they must not lead beyond the length. */
  append(bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      const at = this.#filled % BLOCK_BYTES;
      if (at === 0) this.#blocks.push(this.#nextBlock());
      const copied = bytes.copy(this.#blocks.at(-1)!, at, from);
      from += copied;
      this.#filled += copied;
    }
  }

  /** All of it in one piece; empties this buffer. The event loop gets its turns meanwhile. */
  async whole(): Promise<Uint8Array> {
    const blocks = this.#blocks;
    this.#blocks = [];
    const state = new Uint8Array(this.#filled);
    for (const [number, block] of blocks.entries()) {
      if (number % TURN_BLOCKS === TURN_BLOCKS - 1) {
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      state.set(block, number * BLOCK_BYTES);
    }
    return state;
  }

  #nextBlock(): Buffer {
    return Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, this.length - this.#filled));
  }
}
