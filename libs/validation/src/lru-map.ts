/** Keeps what was used last, within a count and a sum of sizes; drops what was used longest ago. */
export class LruMap<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly size: number }>();
  #size = 0;

  constructor(
    private readonly maxCount: number,
    private readonly maxSize: number,
  ) {}

  get count(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Keeps `value`, even one larger than the limit, and answers the keys that had to go. */
  set(key: string, value: T, size: number): readonly string[] {
    this.delete(key);
    this.#entries.set(key, { value, size });
    this.#size += size;
    const dropped: string[] = [];
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.maxCount && this.#size <= this.maxSize) break;
      if (oldest === key) break;
      this.delete(oldest);
      dropped.push(oldest);
    }
    return dropped;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#size -= entry.size;
  }
}
