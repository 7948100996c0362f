import type { AddressText } from '@pawl/contracts';
import type { TimerHandle } from '@pawl/kernel';
import type { EngineContext } from '../engine-context.js';
import type { Fence } from '../sharding/fence.js';

interface Mark {
  readonly address: AddressText;
  readonly version: number;
  readonly publishedAt: string;
}

/** How long marks are gathered before they are written, milliseconds. */
const GATHER_MS = 50;

/**
 * Writes to the truth which snapshots JetStream holds, gathered. Losing a mark costs one comparison
 * with JetStream at the next load, so a failure is left to that.
 */
export class PublishedMarks {
  readonly #waiting = new Map<Fence, Map<AddressText, Mark>>();
  #timer: TimerHandle | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(private readonly context: EngineContext) {}

  add(fence: Fence, mark: Mark): void {
    let marks = this.#waiting.get(fence);
    if (marks === undefined) {
      marks = new Map();
      this.#waiting.set(fence, marks);
    }
    marks.set(mark.address, mark);
    this.#timer ??= this.context.timer.after(GATHER_MS, () => this.#flush());
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#flush();
    await this.#writing;
  }

  #flush(): void {
    this.#timer = undefined;
    const batches = [...this.#waiting];
    this.#waiting.clear();
    this.#writing = this.#writing.then(async () => {
      for (const [fence, marks] of batches) {
        await this.#write(fence, [...marks.values()]);
      }
    });
  }

  async #write(fence: Fence, marks: readonly Mark[]): Promise<void> {
    try {
      await this.context.truth.markPublished(fence, marks);
    } catch (error) {
      this.context.log.warn('could not record what is published', { error: String(error) });
    }
  }
}
