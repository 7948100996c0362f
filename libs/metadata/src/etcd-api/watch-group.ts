import { assert } from '@pawl/kernel';
import type { WatchHandle, WatchSink } from '../coordination.port.js';
import type { Revision, RevisionEvents } from '../state/index.js';
import type { WatchForm } from './watch-encoder.js';

/** One watch of a client, as its stream knows it. */
export interface ClientWatch {
  readonly id: string;
  /** The id as it is appended to what is told. */
  readonly idField: Uint8Array;
  /** The first revision that it wants. */
  readonly from: Revision;
  readonly progressNotify: boolean;
  readonly group: WatchGroup;
  /** Whether it was told of a change since it was last looked at. */
  told: boolean;
}

/** The stream that watches belong to. */
export interface GroupHost {
  /** Answers whether it takes them now. */
  tell(group: WatchGroup, changes: RevisionEvents): boolean;
  compacted(group: WatchGroup, compactRevision: Revision): void;
  fail(error: Error): void;
}

/** Watches of one stream that want the same from one place on: the store tells them once. */
export class WatchGroup implements WatchSink {
  readonly watches = new Set<ClientWatch>();
  #handle: WatchHandle | null = null;

  constructor(
    private readonly host: GroupHost,
    /** Equal for what equal watches want, whatever their places. */
    readonly key: string,
    readonly form: WatchForm,
  ) {}

  /** To be called once, before anything else. */
  open(observe: (sink: WatchSink) => WatchHandle): void {
    this.#handle = observe(this);
  }

  /** Everything before it was told to the stream. */
  get next(): Revision {
    return this.#watch.next;
  }

  resume(): void {
    this.#watch.resume();
  }

  close(): void {
    this.#watch.close();
  }

  events(changes: RevisionEvents): boolean {
    return this.host.tell(this, changes);
  }

  compacted(compactRevision: Revision): void {
    this.host.compacted(this, compactRevision);
  }

  failed(error: Error): void {
    this.host.fail(error);
  }

  get #watch(): WatchHandle {
    assert(this.#handle !== null, 'a group is opened before it is used');
    return this.#handle;
  }
}
