import type { Timer, TimerHandle } from '@pawl/kernel';
import type { LogStatus } from './replicated-log.port.js';

interface Waiter {
  readonly holds: (status: LogStatus) => boolean;
  readonly resolve: (held: boolean) => void;
  readonly timeout: TimerHandle;
}

/** The newest status of this node's log, and those who wait for one. */
export class StatusBoard {
  readonly #timer: Timer;
  readonly #waiters = new Set<Waiter>();
  #status: LogStatus;
  #closed = false;

  constructor(status: LogStatus, timer: Timer) {
    this.#status = status;
    this.#timer = timer;
  }

  get status(): LogStatus {
    return this.#status;
  }

  get closed(): boolean {
    return this.#closed;
  }

  set(status: LogStatus): void {
    this.#status = status;
    for (const waiter of this.#waiters) if (waiter.holds(status)) this.#answer(waiter, true);
  }

  /** Resolves with true once a status holds, with false after `withinMs`, or when this is closed. */
  wait(holds: (status: LogStatus) => boolean, withinMs: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    if (holds(this.#status)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timeout = this.#timer.after(withinMs, () => this.#answer(waiter, false));
      const waiter: Waiter = { holds, resolve, timeout };
      this.#waiters.add(waiter);
    });
  }

  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiters) this.#answer(waiter, false);
  }

  #answer(waiter: Waiter, held: boolean): void {
    if (!this.#waiters.delete(waiter)) return;
    waiter.timeout.cancel();
    waiter.resolve(held);
  }
}
