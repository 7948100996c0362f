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
  /** How long shards are left to others for the first time; twice as long each time after. */
  readonly firstMs: number;
  /** Other shards than before are listed. */
  readonly changed: () => void;
}

/** Failed claims in a row after which a shard is left to others; one is enough when it has failed before. */
const FAILED_CLAIMS = 3;
const MOST_DOUBLINGS = 5;

interface Failed {
  /** Claims, in a row. */
  count: number;
  /** When the first of them did. */
  readonly sinceMs: number;
}

/**
 * Shards that this node claims and cannot load, though it is ready. They are listed in its member
 * record for a while, so that all nodes leave them to the next member alike. Each comes from an owner
 * who serves it, so one is tried here first, and the others only once that one is served.
 */
export class FailingShards {
  readonly #options: FailingShardsOptions;
  /** Of shards that have not been left to others. */
  readonly #failed = new Map<number, Failed>();
  /** Left to others and not served here since: whether each is listed now. What failed last is last. */
  readonly #left = new Map<number, boolean>();
  /** Not listed any more, and tried before the others. */
  #canary: number | null = null;
  /** How often shards were left to others since this node served all that it should. */
  #rounds = 0;
  /** Ends the round, or the wait for a canary that nobody gives to this node. */
  #next: TimerHandle | null = null;

  constructor(options: FailingShardsOptions) {
    this.#options = options;
  }

  /** Those that others should take, in order. */
  get listed(): readonly number[] {
    const listed = [...this.#left].filter(([, isListed]) => isListed);
    return listed.map(([shard]) => shard).sort((a, b) => a - b);
  }

  /** A claim was made, and the shard is served, or cannot be. */
  claimed(shard: number, serves: boolean): void {
    if (serves) this.#serves(shard);
    else if (this.#options.isReady() && this.#isEnough(shard)) this.#list(shard);
  }

  /** What they failed for may be over: all of them may be tried again. */
  clear(): void {
    const wasListed = this.listed.length > 0;
    this.#failed.clear();
    this.#left.clear();
    this.#end();
    if (wasListed) this.#options.changed();
  }

  stop(): void {
    this.#next?.cancel();
  }

  #serves(shard: number): void {
    this.#failed.delete(shard);
    const before = this.listed.length;
    this.#left.delete(shard);
    if (shard === this.#canary) for (const other of this.#left.keys()) this.#left.set(other, false);
    if (this.listed.length === 0) this.#end();
    if (this.listed.length < before) this.#options.changed();
  }

  /** Whether others should take it from now on. */
  #isEnough(shard: number): boolean {
    const isListed = this.#left.get(shard);
    if (isListed !== undefined) return !isListed;
    const { clock, patienceMs } = this.#options;
    const failed = this.#failed.get(shard) ?? { count: 0, sinceMs: clock.monotonicMs() };
    this.#failed.set(shard, failed);
    failed.count += 1;
    return failed.count >= FAILED_CLAIMS && clock.monotonicMs() - failed.sinceMs >= patienceMs;
  }

  #list(shard: number): void {
    const { timer, log, firstMs, changed } = this.#options;
    this.#failed.delete(shard);
    this.#left.delete(shard);
    this.#left.set(shard, true);
    if (shard === this.#canary) this.#stopWaiting();
    if (this.#next === null) {
      const forMs = firstMs * 2 ** Math.min(this.#rounds, MOST_DOUBLINGS);
      this.#rounds += 1;
      this.#next = timer.after(forMs, () => this.#tryOne());
    }
    log.error('a shard cannot be served here and is left to the next member', {
      shard,
      round: this.#rounds,
    });
    changed();
  }

  /** Not the one before, if nobody gave it to this node meanwhile: it tells nothing of the others. */
  #tryOne(): void {
    this.#stopWaiting();
    const { timer, firstMs, changed } = this.#options;
    const [canary] = [...this.#left].find(([, isListed]) => isListed) ?? [];
    if (canary === undefined) return this.#end();
    this.#canary = canary;
    this.#left.set(canary, false);
    this.#next = timer.after(firstMs, () => this.#tryOne());
    changed();
  }

  #stopWaiting(): void {
    this.#canary = null;
    this.#next?.cancel();
    this.#next = null;
  }

  /** Nothing is listed any more. */
  #end(): void {
    this.#stopWaiting();
    if (this.#left.size === 0) this.#rounds = 0;
  }
}
