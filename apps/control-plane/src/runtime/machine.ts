import type { Scheduler } from '@pawl/kernel';

/**
 * Lets everything that waits in the event loop run once. Those who wait are let on one per turn, in
 * their order: what many do side by side, loading shards at the start, blocks no longer than what one
 * of them does.
 */
export class TurnByTurn implements Scheduler {
  readonly #waiting: (() => void)[] = [];

  yield(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(() => this.#letOneOn());
    });
  }

  #letOneOn(): void {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(() => this.#letOneOn());
  }
}

export const machineScheduler: Scheduler = new TurnByTurn();
