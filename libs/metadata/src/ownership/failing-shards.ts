import type { EngineLog } from '@pawl/engine';
import type { Clock, Timer, TimerHandle } from '@pawl/kernel';

export interface FailingShardsOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: EngineLog;
  /** Whether PostgreSQL answers: what fails while it does not says nothing of the shard. */
  readonly isReady: () => boolean;
  /** So long claims must have failed: what passes by itself moves nothing. */
  readonly patienceMs: number;
  /** How long a shard is left to others for the first time; twice as long each time after. */
  readonly firstMs: number;
  /** Other shards than before are listed. */
  readonly changed: () => void;
}

/** Failed claims in a row after which a shard is left to others; one is enough when it has failed before. */
const FAILED_CLAIMS = 3;
const MOST_DOUBLINGS = 5;

interface Failing {
  /** In a row, since it was last listed. */
  failed: number;
  /** When the first of them did. */
  sinceMs: number;
  /** How often it has been listed. */
  rounds: number;
  /** While it is listed: ends that. */
  listed: TimerHandle | null;
}

/**
 * Shards that this node claims and cannot load, though it is ready. They are listed in its member
 * record for a while, so that all nodes leave them to the next member alike.
 */
export class FailingShards {
  readonly #options: FailingShardsOptions;
  readonly #failing = new Map<number, Failing>();

  constructor(options: FailingShardsOptions) {
    this.#options = options;
  }

  /** Those that others should take, in order. */
  get listed(): readonly number[] {
    const listed = [...this.#failing].filter(([, { listed }]) => listed !== null);
    return listed.map(([shard]) => shard).sort((a, b) => a - b);
  }

  /** A claim was made, and the shard is served, or cannot be. */
  claimed(shard: number, serves: boolean): void {
    if (!serves) this.#failed(shard);
    else if (this.#forget(shard)) this.#options.changed();
  }

  /** What they failed for may be over: all of them may be tried again. */
  clear(): void {
    const wasListed = [...this.#failing.keys()].map((shard) => this.#forget(shard));
    if (wasListed.includes(true)) this.#options.changed();
  }

  stop(): void {
    for (const { listed } of this.#failing.values()) listed?.cancel();
  }

  #failed(shard: number): void {
    const { clock, timer, log, firstMs, isReady, changed } = this.#options;
    if (!isReady()) return;
    const failing = this.#failing.get(shard) ?? {
      failed: 0,
      sinceMs: clock.monotonicMs(),
      rounds: 0,
      listed: null,
    };
    this.#failing.set(shard, failing);
    failing.failed += 1;
    if (failing.listed !== null || !this.#isEnough(failing)) return;
    const forMs = firstMs * 2 ** Math.min(failing.rounds, MOST_DOUBLINGS);
    failing.rounds += 1;
    failing.listed = timer.after(forMs, () => {
      failing.listed = null;
      failing.failed = 0;
      changed();
    });
    log.error('a shard cannot be served here and is left to the next member', { shard, forMs });
    changed();
  }

  #isEnough({ failed, sinceMs, rounds }: Failing): boolean {
    if (rounds > 0) return true;
    const { clock, patienceMs } = this.#options;
    return failed >= FAILED_CLAIMS && clock.monotonicMs() - sinceMs >= patienceMs;
  }

  /** Answers whether it was listed. */
  #forget(shard: number): boolean {
    const listed = this.#failing.get(shard)?.listed ?? null;
    listed?.cancel();
    this.#failing.delete(shard);
    return listed !== null;
  }
}
