import type { Clock, Timer, TimerHandle } from '@pawl/kernel';

export interface TickerOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  /** Milliseconds from tick to tick; above 0. */
  readonly everyMs: number;
  readonly onTick: () => void;
}

/**
 * Ticks at whole multiples of `everyMs` from its start, however late each is called back: lateness does
 * not add up. Ticks that were missed, since the process stood still or the event loop was blocked, are
 * dropped but for one, as Go's tickers do it: a pause must not age what nobody could have said anything
 * about meanwhile.
 */
export class Ticker {
  readonly #options: TickerOptions;
  #dueMs: number;
  #pending: TimerHandle;

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#dueMs = options.clock.monotonicMs() + options.everyMs;
    this.#pending = options.timer.after(options.everyMs, () => this.#tick());
  }

  stop(): void {
    this.#pending.cancel();
  }

  #tick(): void {
    const { clock, timer, everyMs, onTick } = this.#options;
    const nowMs = clock.monotonicMs();
    /* A timer may also be early, by less than a millisecond. */
    const lateMs = Math.max(0, nowMs - this.#dueMs);
    this.#dueMs += everyMs * (1 + Math.floor(lateMs / everyMs));
    this.#pending = timer.after(this.#dueMs - nowMs, () => this.#tick());
    onTick();
  }
}
