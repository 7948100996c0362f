/** One shard leaves room for the requests of others of its owner. */
const PER_SHARD = 1 / 4;
/** One owner, or all shards that nobody owns, leave room for the requests of other owners. */
const PER_OWNER = 1 / 2;

/** Room for requests that are with owners, or look for them: none is starved by what waits for another. */
export class Places {
  readonly #taken = new Map<string, number>();
  readonly #most: { readonly all: number; readonly owner: number; readonly shard: number };

  /** @param most how many there are, whoever they are for */
  constructor(most: number) {
    this.#most = {
      all: most,
      owner: Math.ceil(most * PER_OWNER),
      shard: Math.ceil(most * PER_SHARD),
    };
  }

  /** Gives a place back when called; `undefined` when there is none. `owner`: null while nobody is. */
  take(shard: number, owner: string | null): (() => void) | undefined {
    const { all, owner: ofOwner, shard: ofShard } = this.#most;
    const wanted = [
      { key: 'all', most: all },
      { key: owner === null ? 'nobody' : `owner ${owner}`, most: ofOwner },
      { key: `shard ${shard}`, most: ofShard },
    ];
    if (wanted.some(({ key, most }) => (this.#taken.get(key) ?? 0) >= most)) return undefined;
    for (const { key } of wanted) this.#count(key, 1);
    return () => {
      for (const { key } of wanted) this.#count(key, -1);
    };
  }

  #count(key: string, by: 1 | -1): void {
    const taken = (this.#taken.get(key) ?? 0) + by;
    if (taken === 0) this.#taken.delete(key);
    else this.#taken.set(key, taken);
  }
}
