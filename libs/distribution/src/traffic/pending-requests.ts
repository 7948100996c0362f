import type { Clock } from '@pawl/kernel';

/** Counts requests that are being worked on; `limit` at most, and none for longer than `maxMs`. */
export class PendingRequests {
  #next = 0;
  /** Start by request, oldest first. */
  readonly #startedMs = new Map<number, number>();
  #whenIdle: (() => void) | undefined;

  constructor(
    private readonly limit: number,
    private readonly maxMs: number,
    private readonly clock: Clock,
  ) {}

  /** A handle for {@link end}, or `undefined` when there are too many. */
  begin(): number | undefined {
    const nowMs = this.clock.monotonicMs();
    if (this.#startedMs.size >= this.limit) this.#giveUpBefore(nowMs - this.maxMs);
    if (this.#startedMs.size >= this.limit) return undefined;
    this.#startedMs.set((this.#next += 1), nowMs);
    return this.#next;
  }

  end(request: number): void {
    this.#startedMs.delete(request);
    if (this.#startedMs.size === 0) this.#whenIdle?.();
  }

  /** Resolves when nothing is being worked on, after `ms` at the latest. */
  async idle(ms: number): Promise<void> {
    if (this.#startedMs.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #giveUpBefore(oldestMs: number): void {
    for (const [request, startedMs] of this.#startedMs) {
      if (startedMs > oldestMs) return;
      this.#startedMs.delete(request);
    }
  }
}
