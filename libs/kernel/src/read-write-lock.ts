import { assert } from './assert.js';

type Mode = 'shared' | 'exclusive';
interface Waiter {
  readonly mode: Mode;
  readonly isUrgent: boolean;
  readonly start: () => void;
}

/** Thrown when more callers wait than the lock allows. */
export class LockQueueFullError extends Error {
  override readonly name = 'LockQueueFullError';
}

/**
 * Fair in-process lock: many `shared` holders or one `exclusive`, in order of arrival. What is urgent goes
 * before all that waits and is not. At most `maxWaiters` wait, and as many urgent ones beside them; one
 * more is refused with {@link LockQueueFullError}.
 */
export class ReadWriteLock {
  #shared = 0;
  #exclusive = false;
  readonly #waiters: Waiter[] = [];

  constructor(private readonly maxWaiters: number) {}

  /** No holder and nobody waiting. */
  get idle(): boolean {
    return this.#shared === 0 && !this.#exclusive && this.#waiters.length === 0;
  }

  async run<T>(mode: Mode, work: () => Promise<T>, isUrgent = false): Promise<T> {
    await this.#acquire(mode, isUrgent);
    try {
      return await work();
    } finally {
      this.#release(mode);
    }
  }

  #acquire(mode: Mode, isUrgent: boolean): Promise<void> | undefined {
    if (this.#waiters.length === 0 && this.#grantable(mode)) {
      this.#grant(mode);
      return undefined;
    }
    const urgent = this.#waiters.filter((waiter) => waiter.isUrgent).length;
    const before = isUrgent ? urgent : this.#waiters.length - urgent;
    if (before >= this.maxWaiters) {
      throw new LockQueueFullError(`more than ${this.maxWaiters} callers wait for this lock`);
    }
    const at = isUrgent ? urgent : this.#waiters.length;
    return new Promise((resolve) =>
      this.#waiters.splice(at, 0, { mode, isUrgent, start: resolve }),
    );
  }

  #grantable(mode: Mode): boolean {
    return mode === 'shared' ? !this.#exclusive : !this.#exclusive && this.#shared === 0;
  }

  #grant(mode: Mode): void {
    if (mode === 'shared') this.#shared += 1;
    else this.#exclusive = true;
  }

  #release(mode: Mode): void {
    if (mode === 'shared') {
      assert(this.#shared > 0, 'a shared lock is released by its holder');
      this.#shared -= 1;
    } else {
      assert(this.#exclusive, 'an exclusive lock is released by its holder');
      this.#exclusive = false;
    }
    for (let next = this.#waiters[0]; next !== undefined; next = this.#waiters[0]) {
      if (!this.#grantable(next.mode)) return;
      this.#waiters.shift();
      this.#grant(next.mode);
      next.start();
    }
  }
}
