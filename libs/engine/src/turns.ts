import type { Scheduler } from '@pawl/kernel';

/** What is worked on before the event loop gets a turn: at most so many items, or so many bytes. */
export interface Portion {
  readonly items: number;
  readonly bytes: number;
}

/** Small documents by the dozen, or a single large one: some milliseconds either way. */
export const PORTION: Portion = { items: 64, bytes: 64 * 1024 };

/** Measures out one piece of long work, and gives the event loop a turn after each portion of it. */
export class Turns {
  #items = 0;
  #bytes = 0;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly portion: Portion = PORTION,
  ) {}

  /** To be awaited after each item; `bytes` is how much text was worked on for it. */
  async spent(bytes: number): Promise<void> {
    this.#items += 1;
    this.#bytes += bytes;
    if (this.#items < this.portion.items && this.#bytes < this.portion.bytes) return;
    this.#items = 0;
    this.#bytes = 0;
    await this.scheduler.yield();
  }
}
