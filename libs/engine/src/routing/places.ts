/** One shard leaves room for the requests of others of its owner. */
const PER_SHARD = 1 / 4;
/** One owner, or all shards that nobody owns, leave as many places as they take of what others leave. */
const PER_OWNER = 1 / 2;

/** Room for requests that are with owners, or look for them: none is starved by what waits for another. */
export class Places {
  readonly #taken = new Map<string, number>();

  /** @param most how many there are, whoever they are for */
  constructor(private readonly most: number) {}

  /** Gives a place back when called; `undefined` when there is none. `owner`: null while nobody is. */
  take(shard: number, owner: string | null): (() => void) | undefined {
    const [all, ofOwner, ofShard] = ['all', `owner ${owner ?? ''}`, `shard ${shard}`] as const;
    const left = this.most - this.#at(all) + this.#at(ofOwner);
    if (this.#at(ofOwner) >= Math.ceil(left * PER_OWNER)) return undefined;
    if (this.#at(ofShard) >= Math.ceil(this.most * PER_SHARD)) return undefined;
    for (const key of [all, ofOwner, ofShard]) this.#count(key, 1);
    return () => {
      for (const key of [all, ofOwner, ofShard]) this.#count(key, -1);
    };
  }

  #at(key: string): number {
    return this.#taken.get(key) ?? 0;
  }

  #count(key: string, by: 1 | -1): void {
    const taken = this.#at(key) + by;
    if (taken === 0) this.#taken.delete(key);
    else this.#taken.set(key, taken);
  }
}
