import type { Clock, Timer, TimerHandle } from '@pawl/kernel';

interface Due {
  readonly atMs: number;
  readonly sequence: number;
  callback: (() => void) | null;
}

/** Lets everything happen that waits for promises alone. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * A clock and timer that only the test moves. After each callback all promises get their turn, so
 * that a run is decided by what was asked for and by nothing else.
 */
export class SimulatedTime implements Clock, Timer {
  /** A binary heap: the earliest first, of equal ones the one asked for first. */
  readonly #heap: Due[] = [];
  #nowMs = 0;
  #sequence = 0;

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    this.#sequence += 1;
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const due: Due = { atMs, sequence: this.#sequence, callback };
    this.#push(due);
    return {
      cancel: () => {
        due.callback = null;
      },
    };
  }

  /** Goes to the next callback and calls it; answers false when there is none up to `untilMs`. */
  async step(untilMs = Infinity): Promise<boolean> {
    for (let next = this.#heap[0]; next !== undefined; next = this.#heap[0]) {
      if (next.atMs > untilMs) return false;
      this.#pop();
      if (next.callback === null) continue;
      this.#nowMs = next.atMs;
      next.callback();
      await settle();
      return true;
    }
    return false;
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    while (await this.step(endMs));
    this.#nowMs = endMs;
  }

  /** Goes on until the condition holds; throws when it does not within `withinMs`. */
  async until(condition: () => boolean, withinMs = 60_000): Promise<void> {
    const endMs = this.#nowMs + withinMs;
    await settle();
    while (!condition()) {
      if (!(await this.step(endMs))) throw new Error(`not within ${withinMs} ms of simulated time`);
    }
  }

  /** What a promise gives, as time goes on; throws when that takes longer than `withinMs`. */
  async wait<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
    let settled = false;
    const note = (): void => {
      settled = true;
    };
    promise.then(note, note);
    await this.until(() => settled, withinMs);
    return promise;
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(due, heap[parent] as Due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child] as Due)) child += 1;
      if (!before(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Due, b: Due): boolean {
  return a.atMs === b.atMs ? a.sequence < b.sequence : a.atMs < b.atMs;
}
