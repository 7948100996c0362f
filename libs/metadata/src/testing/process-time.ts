import { assert } from '@pawl/kernel';
import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type { SimulatedTime } from './simulated-time.js';

interface Waiting {
  /** By the process's monotonic clock. */
  readonly dueMs: number;
  readonly callback: () => void;
  /** Null while the clock stands still. */
  handle: TimerHandle | null;
}

/**
 * The time of one process in a simulated world. The process may stand still and end; its monotonic
 * clock, which its timers follow, may drift, stand still and jump ahead; its wall clock is the
 * world's but for jumps.
 */
export class ProcessTime implements Clock, Timer {
  readonly #timers = new Set<Waiting>();
  #rate: number;
  /** What the monotonic clock showed when it was last changed, and when that was in the world. */
  #shownMs = 0;
  #sinceMs = 0;
  #wallAheadMs = 0;
  #leastAheadMs = 0;
  #mostAheadMs = 0;
  #jumpedMs = 0;
  #paused = false;
  #suspended = false;
  #ended = false;
  #held: (() => void)[] = [];

  /** `rate`: of its clock against the world's; 1.1 is fast by a tenth. */
  constructor(
    private readonly world: SimulatedTime,
    rate = 1,
  ) {
    this.#rate = rate;
  }

  wallMs(): number {
    return this.world.wallMs() + this.#wallAheadMs;
  }

  monotonicMs(): number {
    return this.#shownMs + (this.world.monotonicMs() - this.#sinceMs) * this.#currentRate;
  }

  /** How far the wall clock has ever been ahead of the world's: from the least to the most. */
  get wallAheadMs(): { readonly least: number; readonly most: number } {
    return { least: this.#leastAheadMs, most: this.#mostAheadMs };
  }

  /** How far the monotonic clock has jumped ahead until now. */
  get jumpedMs(): number {
    return this.#jumpedMs;
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    let cancelled = false;
    const event = (): void => {
      if (!cancelled) callback();
    };
    const dueMs = this.monotonicMs() + Math.max(0, delayMs);
    const waiting: Waiting = { dueMs, callback: event, handle: null };
    this.#timers.add(waiting);
    this.#schedule(waiting, delayMs);
    return {
      cancel: () => {
        cancelled = true;
        waiting.handle?.cancel();
        this.#timers.delete(waiting);
      },
    };
  }

  /** Does what reaches the process from outside: now, once it goes on, or never. */
  run(event: () => void): void {
    if (this.#ended) return;
    if (this.#paused) this.#held.push(event);
    else event();
  }

  /** The process stands still, the clock does not. */
  pause(): void {
    this.#paused = true;
  }

  /** Process and monotonic clock stand still, as while a machine sleeps. */
  suspend(): void {
    this.#paused = true;
    this.#change(() => {
      this.#suspended = true;
    });
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (const event of held) this.world.after(0, () => this.run(event));
    if (!this.#suspended) return;
    this.#change(() => {
      this.#suspended = false;
    });
  }

  /** From now on the monotonic clock runs so fast. */
  drift(rate: number): void {
    assert(rate > 0, 'a clock that runs');
    this.#change(() => {
      this.#rate = rate;
    });
  }

  /** The monotonic clock goes ahead; what became due is called soon. */
  jump(aheadMs: number): void {
    assert(aheadMs >= 0, 'a monotonic clock never goes back');
    this.#change(() => {
      this.#shownMs += aheadMs;
      this.#jumpedMs += aheadMs;
    });
  }

  /** The wall clock alone is set, ahead or back. */
  setWall(byMs: number): void {
    this.#wallAheadMs += byMs;
    this.#leastAheadMs = Math.min(this.#leastAheadMs, this.#wallAheadMs);
    this.#mostAheadMs = Math.max(this.#mostAheadMs, this.#wallAheadMs);
  }

  /** Nothing of this process happens any more. */
  end(): void {
    this.#ended = true;
    this.#held = [];
    for (const { handle } of this.#timers) handle?.cancel();
    this.#timers.clear();
  }

  get #currentRate(): number {
    return this.#suspended ? 0 : this.#rate;
  }

  #change(change: () => void): void {
    this.#shownMs = this.monotonicMs();
    this.#sinceMs = this.world.monotonicMs();
    change();
    const timers = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs);
    for (const waiting of timers) {
      waiting.handle?.cancel();
      this.#schedule(waiting, waiting.dueMs - this.#shownMs);
    }
  }

  /** What is due now shows on the clock, too, however the two were rounded. */
  #reach(dueMs: number): void {
    if (this.monotonicMs() >= dueMs) return;
    this.#shownMs = dueMs;
    this.#sinceMs = this.world.monotonicMs();
  }

  #schedule(waiting: Waiting, delayMs: number): void {
    waiting.handle = null;
    if (this.#ended || this.#currentRate === 0) return;
    waiting.handle = this.world.after(Math.max(0, delayMs) / this.#currentRate, () => {
      this.#timers.delete(waiting);
      this.#reach(waiting.dueMs);
      this.run(waiting.callback);
    });
  }
}
