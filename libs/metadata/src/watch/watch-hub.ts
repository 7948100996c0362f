import { BoundedQueue } from '@pawl/kernel';
import type { WatchHandle, WatchSink } from '../coordination.port.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { MetadataWatch, WatchRequest } from '../metadata-store.port.js';
import { toByteKey } from '../state/index.js';
import type { KeyEvent, MetadataState, Revision, RevisionEvents } from '../state/index.js';
import { IteratedWatch } from './iterated-watch.js';
import { RangeIndex } from './range-index.js';
import { Watcher } from './watcher.js';
import type { WatcherHost } from './watcher.js';

export interface WatchHubOptions {
  readonly maxWatches: number;
  /** Runs a task after the event loop had its turn; left out: `setImmediate`. */
  readonly defer?: (task: () => void) => void;
  /** Calls of synced sinks in one turn of the event loop; left out: some milliseconds of them. */
  readonly toldPerTurn?: number;
  /** Revisions kept to tell them even if they are compacted meanwhile. */
  readonly readAhead?: number;
}

const READ_AHEAD = 1024;
const TOLD_PER_TURN = 4096;
/** Work of catching up in one turn, about one for each change looked at. */
const CAUGHT_UP_PER_TURN = 4096;
/** Changes looked at, and events read at most, before another watcher gets its turn. */
const PAGE_CHANGES = 512;
const PAGE_EVENTS = 256;
/** What reading a page costs beside the changes in it. */
const PAGE_COST = 8;

/**
 * The watches on one state. Those that keep up are told of each revision together: found by the keys
 * that changed, not searched, and at their own pace, so that nobody who writes waits for them. One
 * that is behind, or whose sink refuses, keeps only its place in the history and reads on from there
 * by itself in small pieces, as long as its place is not compacted away.
 */
export class WatchHub implements WatcherHost {
  readonly #maxWatches: number;
  readonly #toldPerTurn: number;
  readonly #defer: (task: () => void) => void;
  readonly #all = new Set<Watcher>();
  readonly #synced = new RangeIndex<Watcher>();
  /** In the order of their turns. */
  readonly #behind = new Set<Watcher>();
  #told: Revision;
  /** Tells synced watchers of the revision `#told`, one with each step; null between revisions. */
  #round: Iterator<void> | null = null;
  /** The revisions that come then, without a gap. */
  readonly #ahead: BoundedQueue<RevisionEvents>;
  #scheduled = false;

  constructor(
    private readonly state: MetadataState,
    options: WatchHubOptions,
  ) {
    this.#maxWatches = options.maxWatches;
    this.#toldPerTurn = options.toldPerTurn ?? TOLD_PER_TURN;
    this.#ahead = new BoundedQueue(options.readAhead ?? READ_AHEAD);
    this.#defer = options.defer ?? setImmediate;
    this.#told = state.revision + 1;
  }

  get size(): number {
    return this.#all.size;
  }

  get told(): Revision {
    return this.#told;
  }

  /**
   * Tells a sink of changes, never before this returns; a sink must not throw. Throws
   * {@link MetadataUnavailableError} when there are too many watches.
   */
  observe(range: WatchRequest, sink: WatchSink): WatchHandle {
    if (this.#all.size >= this.#maxWatches) {
      throw new MetadataUnavailableError(`more than ${this.#maxWatches} watches`, 'no');
    }
    const watcher = new Watcher(this, range, sink, this.#first(range.fromRevision ?? 0));
    this.#all.add(watcher);
    this.#place(watcher);
    return watcher;
  }

  /** One below 0 is the first of all. */
  #first(from: Revision): Revision {
    return from === 0 ? this.state.revision + 1 : Math.max(1, from);
  }

  watch(request: WatchRequest): MetadataWatch {
    return new IteratedWatch((sink) => this.observe(request, sink));
  }

  /**
   * To be called after each command that was applied, when a snapshot replaced the state, and before
   * a command compacts: those that keep up are yet told of what they were to be told.
   */
  applied(): void {
    if (this.#synced.size === 0) return;
    this.#readAhead();
    this.#schedule();
  }

  /** Ends all watches with an error. */
  fail(error: Error): void {
    for (const watcher of [...this.#all]) {
      if (watcher.phase === 'ended') continue;
      this.close(watcher);
      watcher.sink.failed(error);
    }
  }

  resume(watcher: Watcher): void {
    if (watcher.phase === 'refused') this.#place(watcher);
  }

  close(watcher: Watcher): void {
    this.#leave(watcher, 'ended');
    this.#all.delete(watcher);
  }

  /** Puts a watcher that is nowhere among those that are synced, or behind. */
  #place(watcher: Watcher): void {
    if (this.#round === null && this.#synced.size === 0) this.#skip();
    const first = this.#round === null ? this.#told : this.#told + 1;
    if (watcher.at >= first) {
      watcher.phase = 'synced';
      this.#synced.add(watcher.interval, watcher);
    } else {
      watcher.phase = 'behind';
      this.#behind.add(watcher);
    }
    this.#schedule();
  }

  #leave(watcher: Watcher, phase: 'behind' | 'refused' | 'ended'): void {
    watcher.at = watcher.next;
    if (watcher.phase === 'synced') this.#synced.remove(watcher.interval, watcher);
    if (watcher.phase === 'behind') this.#behind.delete(watcher);
    watcher.phase = phase;
    if (phase === 'behind') this.#behind.add(watcher);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#defer(() => {
      this.#scheduled = false;
      this.#tellSynced();
      this.#tellBehind();
      const { revision } = this.state;
      const late = this.#round !== null || (this.#synced.size > 0 && this.#told <= revision);
      if (late || this.#behind.size > 0) this.#schedule();
    });
  }

  #tellSynced(): void {
    for (let left = this.#toldPerTurn; left > 0; left -= 1) {
      this.#round ??= this.#nextRound();
      if (this.#round === null) return;
      if (this.#round.next().done === true) {
        this.#round = null;
        this.#told += 1;
      }
    }
  }

  #nextRound(): Iterator<void> | null {
    if (this.#synced.size === 0) this.#skip();
    this.#readAhead();
    const changes = this.#ahead.shift();
    return changes === undefined ? null : this.#tellAll(changes);
  }

  /** Nobody wants to be told of what there is. */
  #skip(): void {
    this.#ahead.drain();
    this.#told = this.state.revision + 1;
  }

  #readAhead(): void {
    const { revision, compactRevision } = this.state;
    let next = this.#told + this.#ahead.size + (this.#round === null ? 0 : 1);
    for (; next <= revision && this.#ahead.size < this.#ahead.limit; next += 1) {
      if (next < compactRevision) {
        if (this.#ahead.size === 0 && this.#round === null) this.#fallBehind();
        return;
      }
      for (const changes of this.state.events(next, 1)) this.#ahead.push(changes);
    }
  }

  /** What comes next is gone: those that begin later than that can yet go on. */
  #fallBehind(): void {
    for (const watcher of this.#all) {
      if (watcher.phase === 'synced') this.#leave(watcher, 'behind');
    }
    this.#skip();
  }

  *#tellAll(changes: RevisionEvents): Generator<void> {
    const found = new Map<ReadonlySet<Watcher>, KeyEvent[]>();
    for (const event of changes.events) {
      this.#synced.visit(toByteKey(event.kv.key), (watchers) => {
        const events = found.get(watchers);
        if (events === undefined) found.set(watchers, [event]);
        else events.push(event);
      });
    }
    for (const [watchers, events] of found) {
      const whole = events.length === changes.events.length;
      const told = whole ? changes : { revision: changes.revision, events };
      for (const watcher of watchers) {
        if (watcher.at <= changes.revision) this.#tell(watcher, told);
        yield;
      }
    }
  }

  #tellBehind(): void {
    let left = CAUGHT_UP_PER_TURN;
    for (const watcher of this.#behind) {
      if (left <= 0) return;
      left -= this.#catchUp(watcher);
    }
  }

  /** Reads one page on; answers what that cost. The watcher is then at the end of the queue. */
  #catchUp(watcher: Watcher): number {
    const { range, at, pageEvents } = watcher;
    const { key, rangeEnd } = range;
    const query = { key, ...(rangeEnd === undefined ? {} : { rangeEnd }), from: at, prevKv: true };
    const page = this.state.readEvents(query, { changes: PAGE_CHANGES, events: pageEvents });
    if (page.kind === 'compacted') {
      this.close(watcher);
      watcher.sink.compacted(page.compactRevision);
      return PAGE_COST;
    }
    const cost = PAGE_COST + Math.min(page.next - at, PAGE_CHANGES);
    for (const changes of page.revisions) if (!this.#tell(watcher, changes)) return cost;
    watcher.at = page.next;
    watcher.pageEvents = Math.min(2 * pageEvents, PAGE_EVENTS);
    this.#behind.delete(watcher);
    this.#place(watcher);
    return cost;
  }

  /** Answers whether the watcher goes on. */
  #tell(watcher: Watcher, changes: RevisionEvents): boolean {
    const taken = watcher.sink.events(changes);
    if (watcher.phase === 'ended') return false;
    watcher.at = taken ? changes.revision + 1 : changes.revision;
    if (!taken) {
      watcher.pageEvents = 1;
      this.#leave(watcher, 'refused');
    }
    return taken;
  }
}
