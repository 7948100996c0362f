import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type { Revision } from '../state/index.js';
import type { Compaction } from './quorum-settings.js';

/** Samples of the revision in the time that is kept. */
const SAMPLES = 10;

export interface AutoCompactionOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  readonly compaction: Compaction;
  readonly state: { readonly revision: Revision; readonly compactRevision: Revision };
  /** Answers false when it surely was not taken. */
  readonly compact: (revision: Revision) => boolean;
}

/** Has history compacted away while it runs: by the leader, for all. */
export class AutoCompaction {
  readonly #options: AutoCompactionOptions;
  readonly #samples: { readonly atMs: number; readonly revision: Revision }[] = [];
  #timer: TimerHandle | null = null;
  /** What was asked for last: it takes a while until the state shows it. */
  #asked: Revision = 0;

  constructor(options: AutoCompactionOptions) {
    this.#options = options;
    const { compaction } = options;
    if (compaction.mode === 'periodic') this.#sample(compaction.keepMs);
    this.applied();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** To be called when the revision may have risen. */
  applied(): void {
    const { compaction, state } = this.#options;
    if (compaction.mode !== 'revision') return;
    const { revision, compactRevision } = state;
    const oldest = Math.max(compactRevision, this.#asked);
    if (revision - oldest > 2 * compaction.keepRevisions) {
      this.#compact(revision - compaction.keepRevisions);
    }
  }

  #sample(keepMs: number): void {
    const { timer, clock, state } = this.#options;
    const now = clock.monotonicMs();
    this.#samples.push({ atMs: now, revision: state.revision });
    let old: Revision = 0;
    for (let first = this.#samples[0]; first !== undefined; first = this.#samples[0]) {
      if (first.atMs > now - keepMs) break;
      old = first.revision;
      this.#samples.shift();
    }
    if (old > Math.max(1, state.compactRevision)) this.#compact(old);
    this.#timer = timer.after(keepMs / SAMPLES, () => this.#sample(keepMs));
  }

  #compact(revision: Revision): void {
    if (this.#options.compact(revision)) this.#asked = revision;
  }
}
