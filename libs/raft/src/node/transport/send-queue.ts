import type { PlainMessage } from './message-codec.js';
import type { Request } from './request-codec.js';

/** Bounds of a {@link SendQueue}. */
export interface QueueLimits {
  /** Messages of either priority that wait, each. */
  readonly queueMessages: number;
  /** Bytes of all messages that wait. */
  readonly queueBytes: number;
}

export type Outgoing =
  | { readonly kind: 'message'; readonly message: PlainMessage }
  | { readonly kind: 'request'; readonly request: Request };

interface Waiting {
  readonly frame: Outgoing;
  readonly bytes: number;
}

/**
 * What waits for one peer. Appends and requests, which alone can be large, wait behind everything
 * else; otherwise the order of sending is kept.
 */
export class SendQueue {
  readonly #urgent = new Fifo();
  readonly #bulk = new Fifo();
  #bytes = 0;

  constructor(private readonly limits: QueueLimits) {}

  get empty(): boolean {
    return this.#urgent.size === 0 && this.#bulk.size === 0;
  }

  /** False when there is no room. What is large takes no room from other messages. */
  offer(frame: Outgoing, bytes: number): boolean {
    const bulk = frame.kind === 'request' || frame.message.type === 'append';
    const fifo = bulk ? this.#bulk : this.#urgent;
    if (fifo.size >= this.limits.queueMessages) return false;
    if (bulk && this.#bytes + bytes > this.limits.queueBytes) return false;
    fifo.push({ frame, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Takes what comes next, up to `maxBytes` of it, but always one message if there is one. */
  take(maxBytes: number): { readonly frames: readonly Outgoing[]; readonly bytes: number } {
    const taken: Outgoing[] = [];
    let bytes = 0;
    for (const fifo of [this.#urgent, this.#bulk]) {
      let next = fifo.peek();
      while (next !== undefined && (taken.length === 0 || bytes + next.bytes <= maxBytes)) {
        fifo.shift();
        taken.push(next.frame);
        bytes += next.bytes;
        next = fifo.peek();
      }
      if (next !== undefined) break;
    }
    this.#bytes -= bytes;
    return { frames: taken, bytes };
  }

  clear(): void {
    this.#urgent.clear();
    this.#bulk.clear();
    this.#bytes = 0;
  }
}

/** Keeps nothing alive that was taken out. */
class Fifo {
  #items: (Waiting | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: Waiting): void {
    this.#items.push(item);
  }

  peek(): Waiting | undefined {
    return this.#items[this.#head];
  }

  shift(): void {
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
