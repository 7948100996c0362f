import type { Rng } from '@pawl/kernel';
import type { SimulatedTime } from '../../../libs/metadata/src/testing/simulated-time.js';

/** Carries what goes between processes and servers; chance and time are the world's. */
export class Wire {
  readonly delays = { minMs: 0.2, maxMs: 2 };

  constructor(
    readonly time: SimulatedTime,
    readonly rng: Rng,
  ) {}

  /** Calls back after one way. */
  carry(deliver: () => void): void {
    const { minMs, maxMs } = this.delays;
    this.time.after(minMs + this.rng.next() * (maxMs - minMs), deliver);
  }

  later(delayMs: number, task: () => void): void {
    this.time.after(delayMs, task);
  }

  /** True that often, of 1. */
  chance(share: number): boolean {
    return this.rng.next() < share;
  }
}
