import type { Clock } from '@pawl/kernel';

/** Remembers the `limit` keys that were noted last, and when, by a clock that never goes back. */
export class RecentKeys {
  /** Oldest first. */
  readonly #notedMs = new Map<string, number>();

  constructor(
    private readonly limit: number,
    private readonly clock: Clock,
  ) {}

  note(key: string): void {
    this.#notedMs.delete(key);
    this.#notedMs.set(key, this.clock.monotonicMs());
    if (this.#notedMs.size <= this.limit) return;
    for (const oldest of this.#notedMs.keys()) {
      this.#notedMs.delete(oldest);
      return;
    }
  }

  /** Whether the key was noted less than `ms` ago. */
  notedWithin(key: string, ms: number): boolean {
    const notedMs = this.#notedMs.get(key);
    return notedMs !== undefined && this.clock.monotonicMs() - notedMs < ms;
  }

  forget(key: string): void {
    this.#notedMs.delete(key);
  }

  clear(): void {
    this.#notedMs.clear();
  }
}
