import type { TimerHandle } from '@pawl/kernel';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { compareBytes } from '../state/index.js';
import type { Revision, RevisionEvents } from '../state/index.js';
import type { FrameBatch } from './frame-writer.js';
import type * as rpc from '../etcd-protocol/messages.js';
import type { Waiting } from './request-turns.js';
import type { ApiStream } from './stream-gate.js';
import { toNumber } from './txn-request.js';
import { toStoredRange } from './user-keys.js';
import { watchIdField } from './watch-encoder.js';
import { WatchGroup } from './watch-group.js';
import type { ClientWatch, GroupHost } from './watch-group.js';
import { WatchOutput } from './watch-output.js';
import type { WatchShared } from './watch-shared.js';

/** What a stream of watches needs of gRPC's. */
export interface WatchCall {
  write(batch: FrameBatch, done: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  emit(event: 'error', error: Error): unknown;
  on(event: 'data', listener: (request: rpc.WatchRequest) => void): unknown;
}

/** Watches that go on at once after the client took something. */
const RESUMED_AT_ONCE = 64;
const PROGRESS_RETRY_MS = 10;
/** The id in answers that are about no watch, or about all. */
const NO_WATCH = '-1';
const EVERY_KEY = Buffer.of(0);

/** A watch that cannot be made; the texts are etcd's. */
class WatchRefusedError extends Error {
  override readonly name = 'WatchRefusedError';
}

/** All watches of one stream of a client, which may have ended its own side of it. */
export class WatchStream implements ApiStream, GroupHost, Waiting {
  readonly #output: WatchOutput;
  readonly #watches = new Map<string, ClientWatch>();
  readonly #groups = new Set<WatchGroup>();
  /** By their keys, the group that a new watch may join. */
  readonly #joinable = new Map<string, WatchGroup>();
  /** Groups that wait until the client has taken something. */
  readonly #refused = new Set<WatchGroup>();
  #ended = false;
  #nextId = 0;
  /** The client wants to hear when all watches have come to this revision. */
  #progressAt: Revision | null = null;
  #progressTimer: TimerHandle | null = null;

  constructor(
    private readonly shared: WatchShared,
    private readonly call: WatchCall,
    private readonly onEnd: () => void,
  ) {
    this.#output = new WatchOutput({
      flusher: shared.flusher,
      bufferBytes: shared.context.limits.streamBufferBytes,
      write: (batch, done) => call.write(batch, done),
      written: () => this.#written(),
    });
    call.on('data', (request) => this.#take(request));
  }

  closed(): void {
    this.#finish();
  }

  fail(error: Error): void {
    if (this.#finish()) this.call.emit('error', this.shared.context.toStatus(error));
  }

  tell(group: WatchGroup, changes: RevisionEvents): boolean {
    const bodies = this.shared.encoder.events(changes, group.form);
    if (bodies.length === 0) return true;
    if (this.#output.full) {
      this.#refused.add(group);
      return false;
    }
    this.#output.tell(bodies, group.watches, changes.revision);
    return true;
  }

  compacted(group: WatchGroup, compactRevision: Revision): void {
    const header = this.shared.context.header(0);
    for (const { id } of group.watches) {
      this.#watches.delete(id);
      this.shared.watches -= 1;
      this.#say({ header, watch_id: id, canceled: true, compact_revision: compactRevision });
    }
    /* Its watches stay in it: they are yet to be told what waits to be written. */
    this.#forget(group);
  }

  goOn(): void {
    if (!this.#output.full) this.call.resume();
  }

  /** Tells watches that ask for it, and were told of nothing since the last time, how far they are. */
  notifyProgress(): void {
    const { revision } = this.shared.context.node.head();
    for (const group of this.#groups) {
      const idle = new Set<ClientWatch>();
      for (const watch of group.watches) {
        if (watch.progressNotify && !watch.told) idle.add(watch);
        watch.told = false;
      }
      if (idle.size === 0 || this.#refused.has(group)) continue;
      const header = this.shared.context.header(Math.min(revision, group.next - 1));
      this.#output.tell([this.shared.encoder.message({ header })], idle, null);
    }
  }

  #say(response: rpc.Written<rpc.WatchResponse>): void {
    this.#output.say(this.shared.encoder.message(response));
  }

  #take({ create_request, cancel_request, progress_request }: rpc.WatchRequest): void {
    if (this.#ended) return;
    if (create_request) this.#create(create_request);
    else if (cancel_request) this.#cancel(cancel_request.watch_id);
    else if (progress_request) this.#askProgress();
    this.shared.turns.taken(this);
    if (this.shared.turns.waits(this) || this.#output.full) this.call.pause();
  }

  #create(request: rpc.WatchCreateRequest): void {
    const { context } = this.shared;
    const header = context.header();
    try {
      const id = this.#add(request, header.revision);
      this.#say({ header, watch_id: id, created: true });
    } catch (error) {
      if (!(error instanceof WatchRefusedError)) throw error;
      const cancel_reason = error.message;
      this.#say({ header, watch_id: NO_WATCH, created: true, canceled: true, cancel_reason });
    }
  }

  #add(request: rpc.WatchCreateRequest, revision: Revision): string {
    const { start_revision, watch_id, prev_kv, filters, fragment } = request;
    const start = toNumber(start_revision);
    if (start < 0) {
      throw new WatchRefusedError('etcdserver: mvcc: required revision has been compacted');
    }
    const key = request.key.length === 0 ? EVERY_KEY : request.key;
    const bounds = { key, range_end: request.range_end };
    if (isEmpty(bounds)) throw new WatchRefusedError('mvcc: watcher range is empty');
    if (this.#watches.has(watch_id) && watch_id !== '0') {
      throw new WatchRefusedError('mvcc: duplicate watch ID provided on the WatchStream');
    }
    if (this.#watches.size >= this.shared.context.limits.watchesPerStream || this.shared.full) {
      throw new WatchRefusedError('etcdserver: too many requests');
    }
    const from = start === 0 ? revision + 1 : start;
    const form = {
      prevKv: prev_kv,
      noPut: filters.includes(0),
      noDelete: filters.includes(1),
      fragment,
    };
    const group = this.#groupFor(bounds, form, from);
    const id = watch_id === '0' ? this.#unusedId() : watch_id;
    const { progress_notify: progressNotify } = request;
    const watch = { id, idField: watchIdField(id), from, progressNotify, group, told: false };
    group.watches.add(watch);
    this.#watches.set(id, watch);
    this.shared.watches += 1;
    return id;
  }

  /** One that told nothing yet of what this watch wants, or a new one. */
  #groupFor(bounds: rpc.RangeBounds, form: WatchGroup['form'], from: Revision): WatchGroup {
    const range = toStoredRange(bounds);
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
    const key = JSON.stringify([hex(bounds.key), hex(bounds.range_end), form]);
    const known = this.#joinable.get(key);
    if (known !== undefined && known.next <= from) return known;
    const group = new WatchGroup(this, key, form);
    try {
      group.open((sink) =>
        this.shared.context.node.observe({ ...range, fromRevision: from }, sink),
      );
    } catch (error) {
      if (!(error instanceof MetadataUnavailableError)) throw error;
      throw new WatchRefusedError(`etcdserver: ${error.message}`);
    }
    this.#groups.add(group);
    if (known === undefined) this.#joinable.set(key, group);
    return group;
  }

  #unusedId(): string {
    while (this.#watches.has(String(this.#nextId))) this.#nextId += 1;
    this.#nextId += 1;
    return String(this.#nextId - 1);
  }

  /** One that is not there is passed over, as etcd does. */
  #cancel(id: string): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    this.#remove(watch);
    this.#say({ header: this.shared.context.header(), watch_id: id, canceled: true });
  }

  #remove(watch: ClientWatch): void {
    const { group } = watch;
    this.#watches.delete(watch.id);
    this.shared.watches -= 1;
    group.watches.delete(watch);
    if (group.watches.size === 0) this.#forget(group);
  }

  #forget(group: WatchGroup): void {
    group.close();
    this.#groups.delete(group);
    this.#refused.delete(group);
    if (this.#joinable.get(group.key) === group) this.#joinable.delete(group.key);
  }

  #written(): void {
    if (this.#output.full) return;
    if (!this.shared.turns.waits(this)) this.call.resume();
    let left = RESUMED_AT_ONCE;
    for (const group of this.#refused) {
      if (left === 0) return;
      left -= 1;
      this.#refused.delete(group);
      group.resume();
    }
  }

  #askProgress(): void {
    this.#progressAt ??= this.shared.context.node.head().revision;
    if (this.#progressTimer === null) this.#tryProgress(0);
  }

  /** Answers once every watch was told everything up to when it was asked. */
  #tryProgress(delayMs: number): void {
    this.#progressTimer = this.shared.context.timer.after(delayMs, () => {
      this.#progressTimer = null;
      let reached = this.shared.context.node.head().revision;
      for (const { next } of this.#groups) reached = Math.min(reached, next - 1);
      if (this.#progressAt === null) return;
      if (reached < this.#progressAt) {
        this.#tryProgress(PROGRESS_RETRY_MS);
        return;
      }
      this.#progressAt = null;
      this.#say({ header: this.shared.context.header(reached), watch_id: NO_WATCH });
    });
  }

  /** Answers whether it was open. */
  #finish(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#progressTimer?.cancel();
    this.#output.close();
    this.shared.turns.forget(this);
    for (const group of this.#groups) group.close();
    this.shared.watches -= this.#watches.size;
    this.#watches.clear();
    this.#groups.clear();
    this.#refused.clear();
    this.onEnd();
    return true;
  }
}

/** etcd refuses ranges that end before they begin; one zero byte is no end. */
function isEmpty({ key, range_end }: rpc.RangeBounds): boolean {
  if (range_end.length === 0 || (range_end.length === 1 && range_end[0] === 0)) return false;
  return compareBytes(key, range_end) >= 0;
}
