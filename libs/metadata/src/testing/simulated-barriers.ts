import type { TimerHandle } from '@pawl/kernel';
import type { ReadState } from '@pawl/raft/core';
import type { ProcessTime } from './process-time.js';

interface Barrier {
  /** Of the read that was asked for last; the index it has to wait for, once that is known. */
  id: number;
  index: number | null;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timeout: TimerHandle;
}

/** Those who wait until a node has applied all that was committed before they asked. */
export class SimulatedBarriers {
  readonly #waiting = new Set<Barrier>();

  constructor(
    private readonly time: ProcessTime,
    /** Asks for a read; answers its id, or 0 when nobody can take it now. */
    private readonly read: () => number,
  ) {}

  pass(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timeout = this.time.after(deadlineMs, () => {
        this.#waiting.delete(barrier);
        reject(new Error('no quorum answered in time'));
      });
      const barrier: Barrier = { id: this.read(), index: null, resolve, reject, timeout };
      this.#waiting.add(barrier);
    });
  }

  /** A read that nobody could take is asked for again; with `lost` every one that has no answer. */
  askAgain(lost: boolean): void {
    for (const barrier of this.#waiting) {
      if (barrier.index === null && (lost || barrier.id === 0)) barrier.id = this.read();
    }
  }

  confirmed({ id, index }: ReadState): void {
    for (const barrier of this.#waiting) if (barrier.id === id) barrier.index = index;
  }

  applied(index: number): void {
    for (const barrier of this.#waiting) {
      if (barrier.index === null || barrier.index > index) continue;
      this.#waiting.delete(barrier);
      barrier.timeout.cancel();
      barrier.resolve();
    }
  }

  rejectAll(error: Error): void {
    for (const { timeout, reject } of this.#waiting) {
      timeout.cancel();
      reject(error);
    }
    this.#waiting.clear();
  }
}
