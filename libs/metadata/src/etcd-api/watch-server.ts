import type { TimerHandle } from '@pawl/kernel';
import type { ApiContext } from './api-context.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { WatchShared } from './watch-shared.js';
import { WatchStream } from './watch-stream.js';
import type { WatchCall } from './watch-stream.js';

/** The streams of watches. */
export class WatchServer {
  readonly #shared: WatchShared;
  readonly #streams = new Set<WatchStream>();
  #timer: TimerHandle | null = null;

  constructor(
    context: ApiContext,
    serialize: (response: rpc.Written<rpc.WatchResponse>) => Uint8Array,
  ) {
    this.#shared = new WatchShared(context, serialize);
    this.#notifyProgress();
  }

  open(call: WatchCall): WatchStream {
    const stream = new WatchStream(this.#shared, call, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    return stream;
  }

  close(): void {
    this.#timer?.cancel();
  }

  #notifyProgress(): void {
    const { timer, limits } = this.#shared.context;
    this.#timer = timer.after(limits.progressIntervalMs, () => {
      this.#notifyProgress();
      for (const stream of this.#streams) stream.notifyProgress();
    });
  }
}
