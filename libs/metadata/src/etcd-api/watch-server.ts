import type { TimerHandle } from '@pawl/kernel';
import type { ApiContext } from './api-context.js';
import { Flusher } from './flusher.js';
import type { WatchResponseMessage } from './messages.js';
import { WatchEncoder } from './watch-encoder.js';
import { WatchStream } from './watch-stream.js';
import type { WatchCall } from './watch-stream.js';

/** The streams of watches, and what they share. */
export class WatchServer {
  readonly flusher = new Flusher();
  readonly encoder: WatchEncoder;
  readonly streams = new Set<WatchStream>();
  /** On all streams. */
  watches = 0;
  #timer: TimerHandle | null = null;

  constructor(
    readonly context: ApiContext,
    serialize: (response: WatchResponseMessage) => Uint8Array,
  ) {
    const { fragmentBytes } = context.limits;
    const header = context.header.bind(context);
    this.encoder = new WatchEncoder(serialize, header, fragmentBytes);
    this.#notifyProgress();
  }

  get full(): boolean {
    return this.watches >= this.context.limits.watches;
  }

  open(call: WatchCall): WatchStream {
    const stream = new WatchStream(this, call);
    this.streams.add(stream);
    return stream;
  }

  close(): void {
    this.#timer?.cancel();
  }

  #notifyProgress(): void {
    this.#timer = this.context.timer.after(this.context.limits.progressIntervalMs, () => {
      this.#notifyProgress();
      for (const stream of this.streams) stream.notifyProgress();
    });
  }
}
