/** Sums of one shard that take room. */
export interface RoomTaker {
  /** When its oldest sums begin, in slices of the node's monotonic clock; Infinity: it has none. */
  readonly oldestAt: number;
  /** Forgets those, and says how many they were. */
  forgetOldest(): number;
}

/** Sums that a node keeps of all its shards, some 250 bytes each: 100 MB. */
const MAX_SUMS = 400_000;

/**
 * Bounds what all shards of a node keep together, however many it owns: where there is no more room the
 * oldest is forgotten, of whichever shard it is.
 */
export class HealthRoom {
  readonly #takers = new Set<RoomTaker>();
  #count = 0;

  constructor(private readonly maxSums = MAX_SUMS) {}

  /** Takes room for one more sum of the slice `at`; `false`: all is taken by sums of that slice. */
  take(taker: RoomTaker, at: number): boolean {
    while (this.#count >= this.maxSums) {
      const oldest = this.#oldest();
      if (oldest === undefined || oldest.oldestAt >= at) return false;
      this.#count -= oldest.forgetOldest();
    }
    this.#takers.add(taker);
    this.#count += 1;
    return true;
  }

  /** That many of it were forgotten. */
  give(count: number): void {
    this.#count -= count;
  }

  /** All of it was forgotten, and there will be no more. */
  leave(taker: RoomTaker): void {
    this.#takers.delete(taker);
  }

  #oldest(): RoomTaker | undefined {
    let oldest: RoomTaker | undefined;
    for (const one of this.#takers) {
      if (oldest === undefined || one.oldestAt < oldest.oldestAt) oldest = one;
    }
    return oldest;
  }
}
