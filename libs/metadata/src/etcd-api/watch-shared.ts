import type { ApiContext } from './api-context.js';
import { Flusher } from './flusher.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { RequestTurns } from './request-turns.js';
import { WatchEncoder } from './watch-encoder.js';

/** What all streams of watches share. */
export class WatchShared {
  readonly flusher = new Flusher();
  readonly turns = new RequestTurns();
  readonly encoder: WatchEncoder;
  /** On all streams. */
  watches = 0;

  constructor(
    readonly context: ApiContext,
    serialize: (response: rpc.Written<rpc.WatchResponse>) => Uint8Array,
  ) {
    const header = context.header.bind(context);
    this.encoder = new WatchEncoder(serialize, header, context.limits.fragmentBytes);
  }

  get full(): boolean {
    return this.watches >= this.context.limits.watches;
  }
}
