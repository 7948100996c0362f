import type { ShardMark } from '@pawl/engine';
import type { Timer, TimerHandle } from '@pawl/kernel';
import type { MetadataStore } from '../metadata-store.port.js';
import { NO_LEASE } from '../state/index.js';
import type { Revision } from '../state/index.js';
import { claimKey } from './ownership-keys.js';
import { encodeMark, markKey } from './shard-mark.js';

/** How far a shard has come under a claim that stands, as far as its owner knows. */
export interface MarkNote {
  readonly shard: number;
  readonly createRevision: Revision;
  readonly mark: ShardMark;
}

export interface MarkNotesOptions {
  readonly store: MetadataStore;
  readonly timer: Timer;
  readonly everyMs: number;
  /** Of every shard that this node serves. */
  readonly notes: () => readonly MarkNote[];
}

/** Shards in one transaction of the store; each takes a comparison and a write. */
const NOTES_PER_TXN = 32;

/**
 * Has the quorum remember, now and then, how far the shards of this node have come: those that have
 * come further since, some in one transaction. One that fails costs nothing but age.
 */
export class MarkNotes {
  readonly #options: MarkNotesOptions;
  readonly #noted = new Map<number, ShardMark>();
  #timer: TimerHandle | undefined;
  #stopped = false;

  constructor(options: MarkNotesOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.timer.after(this.#options.everyMs, () => {
      void this.#noteAll().finally(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Whether this very mark was noted last. */
  has(shard: number, { generation, token, commits }: ShardMark): boolean {
    const noted = this.#noted.get(shard);
    return noted?.generation === generation && noted.token === token && noted.commits === commits;
  }

  async #noteAll(): Promise<void> {
    const news = this.#options.notes().filter(({ shard, mark }) => !this.has(shard, mark));
    for (let start = 0; start < news.length; start += NOTES_PER_TXN) {
      const some = news.slice(start, start + NOTES_PER_TXN);
      if (this.#stopped || !(await this.#note(some))) return;
    }
  }

  /** False when the store does not answer. When one of the claims is gone, each is noted alone. */
  async #note(notes: readonly MarkNote[]): Promise<boolean> {
    try {
      const result = await this.#options.store.txn({
        compare: notes.map(({ shard, createRevision }) => ({
          key: claimKey(shard),
          target: 'create',
          operator: '=',
          value: createRevision,
        })),
        success: notes.map(({ shard, mark }) => ({
          kind: 'put',
          key: markKey(shard),
          value: encodeMark(mark),
          lease: NO_LEASE,
        })),
        failure: [],
      });
      if (result.ok && result.succeeded) {
        for (const { shard, mark } of notes) this.#noted.set(shard, mark);
      } else if (result.ok && notes.length > 1) {
        for (const note of notes) await this.#note([note]);
      }
      return true;
    } catch {
      return false;
    }
  }
}
