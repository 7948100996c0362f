import type { WatchHandle, WatchSink } from '../coordination.port.js';
import { toInterval } from '../state/index.js';
import type { Interval, KeyRange, Revision } from '../state/index.js';

/**
 * `synced`: told with all others as revisions come; `behind`: catches up by itself; `refused`: its
 * sink takes nothing until it resumes; `ended`: its sink is called no more.
 */
export type WatcherPhase = 'synced' | 'behind' | 'refused' | 'ended';

/** What a watcher needs of the hub it belongs to. */
export interface WatcherHost {
  /** Everything before it was told to all synced watchers. */
  readonly told: Revision;
  resume(watcher: Watcher): void;
  close(watcher: Watcher): void;
}

/** One watch: which keys, who is told, and its place in the history. It keeps no events. */
export class Watcher implements WatchHandle {
  readonly interval: Interval;
  phase: WatcherPhase = 'refused';
  /** Events to read at once while it catches up: few at first, since its sink may refuse again. */
  pageEvents = 1;

  /** `at`: the first revision to tell, unless the hub has told later ones and this had no part. */
  constructor(
    private readonly host: WatcherHost,
    readonly range: KeyRange,
    readonly sink: WatchSink,
    public at: Revision,
  ) {
    this.interval = toInterval(range);
  }

  get next(): Revision {
    return this.phase === 'synced' ? Math.max(this.at, this.host.told) : this.at;
  }

  resume(): void {
    this.host.resume(this);
  }

  close(): void {
    this.host.close(this);
  }
}
