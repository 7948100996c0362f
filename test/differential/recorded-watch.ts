import { WatchCompactedError } from '@pawl/metadata';
import type { MetadataStore, MetadataWatch, WatchRequest } from '@pawl/metadata';
import type { KeyEvent, Revision, RevisionEvents } from '@pawl/metadata/state';
import { eventually } from '../support/eventually.js';

/** A watch that is read all the time. */
export class RecordedWatch {
  /** Newest revision that it told of. */
  last: Revision = 0;
  /** What ended it. */
  end: 'closed' | { readonly compacted: number } | { readonly error: unknown } | null = null;
  readonly #watch: MetadataWatch;
  #told: RevisionEvents[] = [];

  constructor(store: MetadataStore, request: WatchRequest) {
    this.#watch = store.watch(request);
    void this.#read();
  }

  close(): void {
    this.#watch.close();
  }

  /** What it told since this was asked before. */
  take(): readonly RevisionEvents[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }

  async #read(): Promise<void> {
    try {
      for await (const changes of this.#watch) {
        this.#told.push(changes);
        this.last = changes.revision;
      }
      this.end = 'closed';
    } catch (error) {
      this.end =
        error instanceof WatchCompactedError ? { compacted: error.compactRevision } : { error };
    }
  }
}

export interface Told {
  readonly told: readonly RevisionEvents[];
  readonly end: RecordedWatch['end'];
}

/** The same watch on both stores. */
export class WatchPair {
  readonly #ours: RecordedWatch;
  readonly #theirs: RecordedWatch;
  /** Compaction revision when it began. */
  readonly #compactRevision: number;

  constructor(
    stores: { readonly ours: MetadataStore; readonly theirs: MetadataStore },
    readonly request: WatchRequest,
    compactRevision: number,
  ) {
    this.#compactRevision = compactRevision;
    this.#ours = new RecordedWatch(stores.ours, request);
    this.#theirs = new RecordedWatch(stores.theirs, request);
  }

  get ended(): boolean {
    return this.#ours.end !== null;
  }

  /**
   * What each told since this was asked before, once both told of `revision`, which changed every
   * key, or ended.
   */
  async upTo(revision: Revision): Promise<{ readonly ours: Told; readonly theirs: Told }> {
    const due = (this.request.fromRevision ?? 0) <= revision;
    const here = ({ last, end }: RecordedWatch) => !due || end !== null || last >= revision;
    await eventually(() => {
      if (!here(this.#ours) || !here(this.#theirs)) throw new Error('behind');
    }).catch(() => undefined);
    return {
      ours: { told: this.#comparable(this.#ours.take()), end: this.#ours.end },
      theirs: { told: this.#comparable(this.#theirs.take()), end: this.#theirs.end },
    };
  }

  close(): void {
    this.#ours.close();
    this.#theirs.close();
  }

  /**
   * What etcd 3.4 is sure to tell as well: of the compaction revision itself it keeps of each key
   * only what it became last, and no deletion (etcd issue 19179, mended in 3.4.36). It drops the rest
   * some time after it has answered the compaction, and tells it until then.
   */
  #comparable(told: readonly RevisionEvents[]): readonly RevisionEvents[] {
    const [first, ...rest] = told;
    if (first === undefined || first.revision !== this.#compactRevision) return told;
    const last = new Map(first.events.map((event) => [hex(event), event]));
    const events = first.events.filter((event) => last.get(hex(event)) === event);
    const kept = events.filter(({ kind }) => kind === 'put');
    return kept.length === 0 ? rest : [{ revision: first.revision, events: kept }, ...rest];
  }
}

function hex({ kv }: KeyEvent): string {
  return Buffer.from(kv.key).toString('hex');
}
