import { BoundedQueue, assert } from '@pawl/kernel';
import type { Revision } from '../state/index.js';
import { FrameWriter, NOTHING } from './frame-writer.js';
import type { FrameBatch } from './frame-writer.js';
import type { Flushable, Flusher } from './flusher.js';
import type { ClientWatch } from './watch-group.js';

/** What has to be written, in the order in which it came. */
interface Pending {
  /** Counted until it is written. */
  readonly bytes: number;
  readonly bodies: readonly Uint8Array[];
  /** Null: the bodies are whole messages. */
  readonly to: ReadonlySet<ClientWatch> | null;
  /** Watches that begin later are not told; null: all are. */
  readonly revision: Revision | null;
}

export interface WatchOutputOptions {
  readonly flusher: Flusher;
  /** {@link WatchOutput.full} from there on. */
  readonly bufferBytes: number;
  /** `done` is called when the bytes have left, and not when the stream broke. */
  readonly write: (batch: FrameBatch, done: () => void) => void;
  /** After each write that is done. */
  readonly written: () => void;
}

/** What a message counts beside its body. */
const MESSAGE_BYTES = 32;
/** Copied for one write at most, unless one revision alone has more. */
const BATCH_BYTES = 1024 * 1024;
/** More than the bound of bytes lets come together. */
const MOST_PENDING = 1_000_000;

/**
 * What one stream of watches writes: everything that came together in one write, one write at a
 * time. What several watches are told is kept once until it is written.
 */
export class WatchOutput implements Flushable {
  readonly #pending = new BoundedQueue<Pending>(MOST_PENDING);
  #outstanding = 0;
  #writing = false;
  #closed = false;

  constructor(private readonly options: WatchOutputOptions) {}

  /** Whether so much is outstanding that nothing should be added. */
  get full(): boolean {
    return this.#outstanding >= this.options.bufferBytes;
  }

  /** A whole message. */
  say(message: Uint8Array): void {
    this.#push({
      bytes: MESSAGE_BYTES + message.length,
      bodies: [message],
      to: null,
      revision: null,
    });
  }

  /**
   * Bodies for each of these watches that begins at or before a revision, and is there then.
   * `revision` null: not about one, but about how far they are.
   */
  tell(
    bodies: readonly Uint8Array[],
    to: ReadonlySet<ClientWatch>,
    revision: Revision | null,
  ): void {
    let bytes = 0;
    for (const { length } of bodies) bytes += (MESSAGE_BYTES + length) * to.size;
    this.#push({ bytes, bodies, to, revision });
  }

  flush(): number {
    if (this.#writing || this.#closed) return 0;
    const writer = new FrameWriter();
    let counted = 0;
    while (writer.bytes < BATCH_BYTES) {
      const pending = this.#pending.shift();
      if (pending === undefined) break;
      counted += pending.bytes;
      addFrames(writer, pending);
    }
    if (counted === 0) return 0;
    if (writer.bytes === 0) this.#done(counted);
    else {
      this.#writing = true;
      this.options.write(writer.batch(), () => this.#done(counted));
    }
    return writer.bytes;
  }

  /** Nothing is written any more. */
  close(): void {
    this.#closed = true;
    this.#pending.drain();
  }

  #push(pending: Pending): void {
    if (this.#closed) return;
    assert(this.#pending.push(pending), 'bytes bound what is pending');
    this.#outstanding += pending.bytes;
    this.options.flusher.schedule(this);
  }

  #done(counted: number): void {
    this.#writing = false;
    if (this.#closed) return;
    this.#outstanding -= counted;
    if (this.#pending.size > 0) this.options.flusher.schedule(this);
    this.options.written();
  }
}

function addFrames(writer: FrameWriter, { bodies, to, revision }: Pending): void {
  if (to === null) {
    for (const body of bodies) writer.add(body, NOTHING);
    return;
  }
  for (const watch of to) {
    if (revision !== null) {
      if (watch.from > revision) continue;
      watch.told = true;
    }
    for (const body of bodies) writer.add(body, watch.idField);
  }
}
