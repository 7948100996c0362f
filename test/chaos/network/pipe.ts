import type { Socket } from 'node:net';
import type { LinkState } from './links.js';

/** What waits in a pipe before its source is held back. */
const MOST_BYTES = 1024 * 1024;

/** One direction of a connection: carries bytes in order as the link from one node to another is. */
export class Pipe {
  private readonly queue: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
  private bytes = 0;
  private timer: NodeJS.Timeout | undefined;
  /** When the link has carried all that went over it. */
  private freeAtMs = 0;
  private hasEnded = false;

  constructor(
    private readonly ends: { readonly from: Socket; readonly to: Socket },
    private readonly link: () => LinkState,
  ) {
    ends.from.on('data', (chunk: Buffer) => this.take(chunk));
    ends.from.once('end', () => {
      this.hasEnded = true;
      this.pump();
    });
    ends.to.on('drain', () => this.pump());
  }

  /** What was read and has not been moved on. */
  get heldBytes(): number {
    return this.bytes;
  }

  /** Also what was read before the pipe was made. */
  take(chunk: Buffer): void {
    this.queue.push({ chunk, dueMs: this.due(chunk.length) });
    this.bytes += chunk.length;
    if (this.bytes > MOST_BYTES) this.ends.from.pause();
    this.pump();
  }

  /** Moves on what may move; called again when the link changes. */
  pump(): void {
    clearTimeout(this.timer);
    const { from, to } = this.ends;
    while (this.link().kind !== 'stalled') {
      const [next] = this.queue;
      if (next === undefined) {
        if (this.hasEnded) to.end();
        return;
      }
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.queue.shift();
      this.bytes -= next.chunk.length;
      if (this.bytes <= MOST_BYTES) from.resume();
      if (!to.write(next.chunk)) return;
    }
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private due(bytes: number): number {
    const now = performance.now();
    const state = this.link();
    if (state.kind === 'slow') {
      return Math.max(this.lastDue(), now + state.delayMs + Math.random() * state.jitterMs);
    }
    if (state.kind === 'narrow') {
      this.freeAtMs = Math.max(this.freeAtMs, now) + (bytes * 1000) / state.bytesPerSecond;
      return this.freeAtMs;
    }
    return this.lastDue();
  }

  private lastDue(): number {
    return this.queue.at(-1)?.dueMs ?? 0;
  }
}
