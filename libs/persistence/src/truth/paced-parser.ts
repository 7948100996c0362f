import type { JsonValue } from '@pawl/contracts';
import type { Scheduler } from '@pawl/kernel';

/** Characters of JSON parsed before others get a turn of the event loop: about a millisecond. */
const CHARACTERS_PER_TURN = 64 * 1024;

/**
 * Parses stored JSON texts for one reader: short ones together, each long one in a turn of the event
 * loop of its own, so that nothing waits for longer than one text takes.
 */
export class PacedParser {
  #characters = 0;

  constructor(private readonly scheduler: Scheduler) {}

  async parse(text: string): Promise<JsonValue> {
    if (this.#characters + text.length > CHARACTERS_PER_TURN) {
      this.#characters = 0;
      await this.scheduler.yield();
    }
    this.#characters += text.length;
    return JSON.parse(text) as JsonValue;
  }
}
