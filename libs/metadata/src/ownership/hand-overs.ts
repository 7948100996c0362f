import type { Timer, TimerHandle } from '@pawl/kernel';

export interface HandOversOptions {
  readonly timer: Timer;
  /** How many shards may be without service at the same time. */
  readonly limit: () => number;
  /** How long the next owner is waited for. */
  readonly boundMs: number;
  /** Whether somebody is seen to serve the shard. */
  readonly served: (shard: number) => boolean;
  /** One more may be handed over. */
  readonly freed: () => void;
}

/** Counts the shards that are on their way to another owner: until that one serves them. */
export class HandOvers {
  readonly #options: HandOversOptions;
  /** With the timer that ends the wait for the next owner; null: not yet given back. */
  readonly #open = new Map<number, TimerHandle | null>();

  constructor(options: HandOversOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  mayBegin(): boolean {
    return this.#open.size < this.#options.limit();
  }

  begin(shard: number): void {
    this.#open.get(shard)?.cancel();
    this.#open.set(shard, null);
  }

  /** The claim is gone, and the next owner's turn has come. */
  givenBack(shard: number): void {
    const { timer, boundMs } = this.#options;
    this.#open.set(
      shard,
      timer.after(boundMs, () => this.end(shard)),
    );
  }

  /** It came to nothing, unless the claim was given back. */
  endUnlessGiven(shard: number): void {
    if (this.#open.get(shard) === null) this.end(shard);
  }

  end(shard: number): void {
    this.#open.get(shard)?.cancel();
    if (this.#open.delete(shard)) this.#options.freed();
  }

  /** Something has changed: ends those that somebody serves. */
  look(): void {
    const over = [...this.#open].filter(
      ([shard, handle]) => handle !== null && this.#options.served(shard),
    );
    for (const [shard] of over) this.end(shard);
  }

  stop(): void {
    for (const handle of this.#open.values()) handle?.cancel();
    this.#open.clear();
  }
}
