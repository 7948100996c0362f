import { assert } from '@pawl/kernel';
import { MetadataUnavailableError, WatchCompactedError } from '../metadata-store.port.js';
import type { MetadataWatch, WatchRequest } from '../metadata-store.port.js';
import { contains, toByteKey, toInterval } from '../state/index.js';
import type { Interval, MetadataState, Revision, RevisionEvents } from '../state/index.js';

/** Revisions looked through at a time. */
const SCAN_REVISIONS = 256;

/** The watches on one state. They keep a place in its history, not the events themselves. */
export class WatchHub {
  readonly #watches = new Set<StateWatch>();

  constructor(
    private readonly state: MetadataState,
    private readonly maxWatches: number,
  ) {}

  get size(): number {
    return this.#watches.size;
  }

  open(request: WatchRequest): MetadataWatch {
    if (this.#watches.size >= this.maxWatches) {
      throw new MetadataUnavailableError(`more than ${this.maxWatches} watches`, 'no');
    }
    const from = request.fromRevision ?? 0;
    const watch = new StateWatch(this.state, {
      interval: toInterval(request),
      from: from === 0 ? this.state.revision + 1 : from,
      ended: () => this.#watches.delete(watch),
    });
    this.#watches.add(watch);
    return watch;
  }

  /** To be called after each command that was applied. */
  applied(): void {
    for (const watch of this.#watches) watch.applied();
  }

  /** Ends all watches with an error. */
  fail(error: Error): void {
    for (const watch of [...this.#watches]) watch.fail(error);
  }
}

interface StateWatchOptions {
  readonly interval: Interval;
  readonly from: Revision;
  readonly ended: () => void;
}

interface Reader {
  readonly resolve: (result: IteratorResult<RevisionEvents>) => void;
  readonly reject: (error: Error) => void;
}

const END: IteratorResult<RevisionEvents> = { done: true, value: undefined };

class StateWatch implements MetadataWatch, AsyncIterator<RevisionEvents> {
  readonly #state: MetadataState;
  readonly #options: StateWatchOptions;
  /** The next revision to look at. */
  #next: Revision;
  #reader: Reader | null = null;
  #end: 'closed' | Error | null = null;

  constructor(state: MetadataState, options: StateWatchOptions) {
    this.#state = state;
    this.#options = options;
    this.#next = options.from;
  }

  [Symbol.asyncIterator](): AsyncIterator<RevisionEvents> {
    return this;
  }

  next(): Promise<IteratorResult<RevisionEvents>> {
    assert(this.#reader === null, 'a watch has one reader at a time');
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.applied();
    });
  }

  return(): Promise<IteratorResult<RevisionEvents>> {
    this.close();
    return Promise.resolve(END);
  }

  close(): void {
    this.#finish('closed');
  }

  fail(error: Error): void {
    this.#finish(error);
  }

  /** Answers the reader, if one waits, as soon as there is something. */
  applied(): void {
    const reader = this.#reader;
    if (reader === null) return;
    if (this.#end === null && this.#next < this.#state.compactRevision) {
      this.#finish(new WatchCompactedError(this.#state.compactRevision));
      return;
    }
    if (this.#end !== null) {
      this.#reader = null;
      if (this.#end === 'closed') reader.resolve(END);
      else reader.reject(this.#end);
      return;
    }
    const found = this.#search();
    if (found === null) return;
    this.#reader = null;
    reader.resolve({ done: false, value: found });
  }

  #finish(end: 'closed' | Error): void {
    this.#end ??= end;
    this.#options.ended();
    this.applied();
  }

  #search(): RevisionEvents | null {
    while (this.#next <= this.#state.revision) {
      for (const { revision, events } of this.#state.events(this.#next, SCAN_REVISIONS)) {
        this.#next = revision + 1;
        const own = events.filter(({ kv }) => contains(this.#options.interval, toByteKey(kv.key)));
        if (own.length > 0) return { revision, events: own };
      }
    }
    return null;
  }
}
