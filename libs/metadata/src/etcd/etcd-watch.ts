import type { WatchHandle, WatchSink } from '../coordination.port.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { KeyEvent, KeyRange, Revision, RevisionEvents } from '../state/index.js';
import { decodeEvent, revisionOf } from './decode-result.js';
import type { KeyPrefix } from './key-prefix.js';
import type * as rpc from '../etcd-protocol/messages.js';

/** Where a watch is told from: its place on a stream to the cluster. */
export interface WatchPlace {
  /** No more is wanted of it. */
  leave(): void;
}

export interface EtcdWatchOptions {
  readonly range: KeyRange;
  /** First revision to tell of. */
  readonly from: Revision;
  /** `from` is only the newest that is known of: where it is compacted, from now on will do. */
  readonly orNow: boolean;
  readonly prefix: KeyPrefix;
  readonly sink: WatchSink;
  /** It wants a place on a stream, which is given with {@link EtcdWatch.place}. */
  readonly attach: (watch: EtcdWatch) => void;
  readonly ended: (watch: EtcdWatch) => void;
}

/** Kept for a sink that does not take them now; beyond either, the cluster keeps what comes. */
const KEPT_REVISIONS = 256;
const KEPT_BYTES = 1024 * 1024;

/**
 * One watch, over as many streams as it takes. What the sink does not take waits here, up to a
 * bound; then the watch leaves its stream, and takes a place again once the sink has caught up.
 */
export class EtcdWatch implements WatchHandle {
  readonly #options: EtcdWatchOptions;
  readonly #waiting: RevisionEvents[] = [];
  #waitingBytes = 0;
  /** First revision that did not arrive yet; 0: the one after it has been given a place. */
  #wanted: Revision;
  #orNow: boolean;
  #place: WatchPlace | null = null;
  /** What ends the watch once all that waits was taken. */
  #end: (() => void) | null = null;
  #taking = true;
  #closed = false;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#wanted = options.from;
    this.#orNow = options.orNow;
  }

  get next(): Revision {
    return this.#waiting[0]?.revision ?? this.#wanted;
  }

  resume(): void {
    this.#taking = true;
    this.#tell();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.#options.ended(this);
  }

  /** Takes its place on a stream, which it leaves itself unless {@link displaced}. */
  take(place: WatchPlace): rpc.Written<rpc.WatchCreateRequest> {
    this.#place = place;
    const { range, prefix } = this.#options;
    const key = range.key.length === 0 ? Uint8Array.of(0) : range.key;
    return {
      ...prefix.addRange({ ...range, key }),
      start_revision: `${this.#wanted}`,
      prev_kv: true,
      progress_notify: true,
    };
  }

  /** Its stream is lost; the watch wants another place. */
  displaced(): void {
    this.#place = null;
    this.#options.attach(this);
  }

  /** Something that its stream says of it. */
  received(response: rpc.WatchResponse): void {
    if (response.created && this.#wanted === 0) this.#wanted = revisionOf(response) + 1;
    if (response.canceled) this.#cancelled(response);
    else if (response.events.length > 0) this.#arrived(response.events);
    else if (!response.created) this.#wanted = Math.max(this.#wanted, revisionOf(response) + 1);
  }

  /** The store goes away. */
  fail(error: Error): void {
    this.#finish(() => this.#options.sink.failed(error));
  }

  #arrived(events: readonly rpc.Event[]): void {
    for (const changes of byRevision(events, this.#options.prefix)) {
      if (changes.revision < this.#wanted) continue;
      if (this.#waiting.length >= KEPT_REVISIONS || this.#waitingBytes >= KEPT_BYTES) {
        this.#leave();
        return;
      }
      this.#orNow = false;
      this.#wanted = changes.revision + 1;
      this.#waiting.push(changes);
      this.#waitingBytes += sizeOf(changes);
      this.#tell();
      if (this.#closed) return;
    }
  }

  #cancelled({ compact_revision, cancel_reason }: rpc.WatchResponse): void {
    this.#place = null;
    const compactRevision = Number(compact_revision);
    if (compactRevision > 0 && this.#orNow) {
      this.#wanted = 0;
      this.#options.attach(this);
    } else if (compactRevision > 0) {
      this.#finish(() => this.#options.sink.compacted(compactRevision));
    } else {
      this.fail(new MetadataUnavailableError(`etcd ended the watch: ${cancel_reason}`, 'no'));
    }
  }

  #finish(end: () => void): void {
    this.#end ??= end;
    this.#leave();
    this.#tell();
  }

  #tell(): void {
    while (this.#taking && !this.#closed) {
      const [changes] = this.#waiting;
      if (changes === undefined) break;
      this.#taking = this.#options.sink.events(changes);
      if (!this.#taking) return;
      this.#waiting.shift();
      this.#waitingBytes -= sizeOf(changes);
    }
    if (this.#waiting.length > 0 || this.#closed) return;
    if (this.#end !== null) {
      this.close();
      this.#end();
    } else if (this.#place === null) {
      this.#options.attach(this);
    }
  }

  #leave(): void {
    this.#place?.leave();
    this.#place = null;
  }
}

/** The cluster tells each revision whole, in one answer. */
function byRevision(events: readonly rpc.Event[], prefix: KeyPrefix): RevisionEvents[] {
  const revisions: { readonly revision: Revision; readonly events: KeyEvent[] }[] = [];
  for (const event of events.map((item) => decodeEvent(item, prefix))) {
    const revision = event.kv.modRevision;
    const last = revisions.at(-1);
    if (last?.revision === revision) last.events.push(event);
    else revisions.push({ revision, events: [event] });
  }
  return revisions;
}

function sizeOf({ events }: RevisionEvents): number {
  let bytes = 0;
  for (const { kv, previous } of events) {
    bytes += kv.key.length + kv.value.length + (previous?.value.length ?? 0);
  }
  return bytes;
}
