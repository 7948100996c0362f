import { ProblemException } from '@pawl/platform';
import { setImmediate } from 'node:timers/promises';

export interface SingleFileOptions {
  /** How many may wait; one more is refused. */
  readonly waiting: number;
  /** How long one may wait before it is refused. */
  readonly waitMs: number;
}

interface Waiter {
  readonly enter: () => void;
}

/**
 * Lets one piece of work at a time go on, first come, first served, with a turn of the event loop
 * before each: sockets are read and answers of others go out in between.
 */
export class SingleFile {
  readonly #waiting: Waiter[] = [];
  #occupied = false;

  constructor(private readonly options: SingleFileOptions) {}

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves or rejects as the work does, which may leave before its end, when all that it still does
   * is to wait for somebody else. Throws `too-many-requests` when too many wait already or
   * its turn does not come in time, and `malformed-request` when `gone` is aborted before it comes;
   * the work is not begun then. `waitMs` may only shorten how long one may wait.
   */
  async run<T>(
    work: (leave: () => void) => Promise<T>,
    gone: AbortSignal,
    waitMs = this.options.waitMs,
  ): Promise<T> {
    if (gone.aborted) throw left();
    if (this.#occupied) await this.#wait(gone, Math.min(waitMs, this.options.waitMs));
    this.#occupied = true;
    let inside = true;
    const leave = (): void => {
      if (inside) this.#leave();
      inside = false;
    };
    try {
      await setImmediate();
      return await work(leave);
    } finally {
      leave();
    }
  }

  /** The next one enters at once, so that nobody who comes now gets in before it. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#occupied = false;
    else next.enter();
  }

  #wait(gone: AbortSignal, waitMs: number): Promise<void> {
    if (this.#waiting.length >= this.options.waiting) throw busy();
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        clearTimeout(timer);
        gone.removeEventListener('abort', onGone);
        outcome();
      };
      const waiter: Waiter = { enter: () => settle(resolve) };
      const giveUp = (why: ProblemException): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        settle(() => reject(why));
      };
      const onGone = (): void => giveUp(left());
      const timer = setTimeout(() => giveUp(busy()), waitMs);
      gone.addEventListener('abort', onGone);
      this.#waiting.push(waiter);
    });
  }
}

function busy(): ProblemException {
  return ProblemException.of(
    'too-many-requests',
    'Too many large writes are waiting for their turn; nothing was written, try again later.',
  );
}

function left(): ProblemException {
  return ProblemException.of('malformed-request', 'The connection broke before the turn came.');
}
