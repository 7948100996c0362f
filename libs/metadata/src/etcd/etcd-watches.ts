import type { ClientDuplexStream } from '@grpc/grpc-js';
import { IteratedWatch } from '../watch/iterated-watch.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { MetadataWatch } from '../metadata-store.port.js';
import type { KeyRange, Revision } from '../state/index.js';
import type { EtcdClient } from './etcd-client.js';
import type { EtcdEndpoint } from './etcd-endpoint.js';
import { EtcdWatch } from './etcd-watch.js';
import { isEmptyRange } from './key-prefix.js';
import type { KeyPrefix } from './key-prefix.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { etcdMethod } from './etcd-method.js';

const MOST_WATCHES = 50_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * The watches of a store, all on one stream to one member. When that is lost, they go on from where
 * each of them is on a stream to another: nothing is left out, and nothing told twice.
 */
export class EtcdWatches {
  readonly #watches = new Set<EtcdWatch>();
  /** Those without a place on the stream. */
  readonly #unplaced = new Set<EtcdWatch>();
  #stream: WatchStream | null = null;
  #opening = false;
  /** Streams that failed one after the other before they said anything. */
  #failures = 0;
  #closed = false;

  constructor(
    private readonly client: EtcdClient,
    private readonly prefix: KeyPrefix,
  ) {}

  /** `orNow`: where `from` is compacted, what comes from now on will do. */
  open(range: KeyRange, from: Revision, orNow: boolean): MetadataWatch {
    if (this.#closed) throw new MetadataUnavailableError('the store was closed', 'no');
    if (this.#watches.size >= MOST_WATCHES) {
      throw new MetadataUnavailableError(`more than ${MOST_WATCHES} watches`, 'no');
    }
    return new IteratedWatch((sink) => {
      const watch = new EtcdWatch({
        range,
        from,
        orNow,
        prefix: this.prefix,
        sink,
        // The cluster would refuse it; no key will ever be in it.
        attach: isEmptyRange(range) ? () => undefined : (unplaced) => this.#place(unplaced),
        ended: (ended) => this.#forget(ended),
      });
      this.#watches.add(watch);
      watch.resume();
      return watch;
    });
  }

  /** Ends all watches. */
  close(): void {
    this.#closed = true;
    for (const watch of [...this.#watches]) {
      watch.fail(new MetadataUnavailableError('the store was closed', 'no'));
    }
    this.#stream?.end();
  }

  #place(watch: EtcdWatch): void {
    if (this.#closed) return;
    if (this.#stream !== null) {
      this.#stream.add(watch);
      return;
    }
    this.#unplaced.add(watch);
    void this.#openStream();
  }

  #forget(watch: EtcdWatch): void {
    this.#watches.delete(watch);
    this.#unplaced.delete(watch);
    if (this.#watches.size > 0) return;
    this.#stream?.end();
    this.#stream = null;
  }

  async #openStream(): Promise<void> {
    if (this.#opening) return;
    this.#opening = true;
    while (this.#stream === null && this.#unplaced.size > 0 && !this.#closed) {
      if (this.#failures > 0) {
        await this.client.pause(
          Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS),
        );
      }
      try {
        this.#begin(await this.client.connected());
      } catch {
        this.#failures += 1;
      }
    }
    this.#opening = false;
  }

  #begin(endpoint: EtcdEndpoint): void {
    if (this.#closed || this.#unplaced.size === 0) return;
    const stream = new WatchStream(endpoint, {
      answered: () => {
        this.#failures = 0;
      },
      lost: (watches) => {
        if (this.#stream === stream) this.#stream = null;
        this.client.avoid(endpoint);
        this.#failures += 1;
        for (const watch of watches) watch.displaced();
      },
    });
    this.#stream = stream;
    const waiting = [...this.#unplaced];
    this.#unplaced.clear();
    for (const watch of waiting) stream.add(watch);
  }
}

interface WatchStreamEvents {
  readonly answered: () => void;
  /** Called once, with those that had a place on it; not after {@link WatchStream.end}. */
  readonly lost: (watches: readonly EtcdWatch[]) => void;
}

/** A stream, and who has a place on it: places are numbered, and no number is used twice. */
class WatchStream {
  readonly #stream: ClientDuplexStream<rpc.Written<rpc.WatchRequest>, rpc.WatchResponse>;
  readonly #places = new Map<string, EtcdWatch>();
  /** Numbers of places that were asked for, in order, as they are answered. */
  readonly #asked: string[] = [];
  #count = 0;
  #ended = false;

  constructor(endpoint: EtcdEndpoint, events: WatchStreamEvents) {
    this.#stream = endpoint.stream(etcdMethod('Watch', 'Watch'));
    const lost = (): void => {
      if (this.#ended) return;
      this.#ended = true;
      this.#stream.cancel();
      const watches = [...this.#places.values()];
      this.#places.clear();
      events.lost(watches);
    };
    this.#stream.on('error', lost);
    this.#stream.on('end', lost);
    this.#stream.on('data', (response: rpc.WatchResponse) => {
      if (this.#ended) return;
      events.answered();
      this.#route(response);
    });
  }

  add(watch: EtcdWatch): void {
    this.#count += 1;
    const id = `${this.#count}`;
    this.#places.set(id, watch);
    const leave = (): void => {
      if (!this.#places.delete(id) || this.#ended) return;
      this.#stream.write({ cancel_request: { watch_id: id } });
    };
    this.#asked.push(id);
    this.#stream.write({ create_request: { ...watch.take({ leave }), watch_id: id } });
  }

  end(): void {
    this.#ended = true;
    this.#stream.cancel();
  }

  /** A place that is refused is answered without its number. */
  #route(response: rpc.WatchResponse): void {
    const asked = response.created ? this.#asked.shift() : undefined;
    const id = asked ?? response.watch_id;
    const watch = this.#places.get(id);
    if (response.canceled) this.#places.delete(id);
    watch?.received(response);
  }
}
