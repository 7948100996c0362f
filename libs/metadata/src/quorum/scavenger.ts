import type { Timer, TimerHandle } from '@pawl/kernel';
import type { MetadataState } from '../state/index.js';

/** Changes looked at in one step, which takes well below a millisecond; and the time between. */
const STEP_CHANGES = 500;
const REST_MS = 10;

/** Gives the memory of compacted history back in small steps while there is little else to do. */
export class Scavenger {
  #step: TimerHandle | null = null;
  #stopped = false;

  constructor(
    private readonly state: MetadataState,
    private readonly timer: Timer,
  ) {}

  /** To be called when something may be left to do. */
  wake(): void {
    if (this.#stopped || this.#step !== null) return;
    if (this.state.keptBytes === this.state.sizeBytes) return;
    this.#step = this.timer.after(REST_MS, () => {
      this.#step = null;
      if (this.state.scavenge(STEP_CHANGES)) this.wake();
    });
  }

  /** Resolves once everything is given back that nobody needs who reads in steps. */
  async finish(): Promise<void> {
    while (!this.#stopped && !this.state.pinned && this.state.scavenge(STEP_CHANGES)) {
      await new Promise<void>((resolve) => this.timer.after(0, resolve));
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#step?.cancel();
  }
}
