import type { LeaseId } from '../state/index.js';

/** Leases that wait for the next request; more are refused. */
const MOST_WAITING = 100_000;
/** Leases in one request. */
const BATCH = 4096;

interface Waiter {
  readonly resolve: (ttlMs: number | null) => void;
  readonly reject: (error: Error) => void;
}

/** Renews leases together: those that come while a request is under way share the next. */
export class LeaseRenewals {
  #waiting = new Map<LeaseId, Waiter[]>();
  #asking = false;

  /** `ask`: the TTL of each lease; null for one that has ended. */
  constructor(
    private readonly ask: (ids: readonly LeaseId[]) => Promise<readonly (number | null)[]>,
  ) {}

  /** Resolves with the lease's TTL; null: it has ended. Rejects as `ask` does. */
  renew(id: LeaseId): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const waiters = this.#waiting.get(id);
      if (waiters !== undefined) {
        waiters.push({ resolve, reject });
      } else if (this.#waiting.size >= MOST_WAITING) {
        reject(new Error('too many renewals wait'));
      } else {
        this.#waiting.set(id, [{ resolve, reject }]);
      }
      if (!this.#asking) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#asking = true;
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, BATCH);
      for (const [id] of batch) this.#waiting.delete(id);
      try {
        const ttls = await this.ask(batch.map(([id]) => id));
        batch.forEach(([, waiters], at) => {
          for (const { resolve } of waiters) resolve(ttls[at] ?? null);
        });
      } catch (error) {
        for (const [, waiters] of batch) {
          for (const { reject } of waiters) reject(error as Error);
        }
      }
    }
    this.#asking = false;
  }
}
