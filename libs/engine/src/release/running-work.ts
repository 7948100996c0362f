import type { Clock } from '@pawl/kernel';

/** Pause after something that did not succeed, milliseconds. */
const RETRY_MS = 10_000;

/** What is done with work that was begun. */
export interface WorkEnd {
  /** It threw; it is not to be tried again before `notBeforeMs`, monotonic time. */
  readonly failed: (error: unknown, notBeforeMs: number) => void;
  /** It is over, whatever came of it. */
  readonly ended: () => void;
}

/** Keeps what an owner does beside its looks, so that whoever stops it waits for what is under way. */
export class RunningWork {
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly retryMs = RETRY_MS,
  ) {}

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Monotonic time before which what has just failed is not tried again. */
  get retryAtMs(): number {
    return this.clock.monotonicMs() + this.retryMs;
  }

  /** Begins it at once; it never rejects. */
  begin(work: () => Promise<void>, { failed, ended }: WorkEnd): void {
    const run = work()
      .catch((error: unknown) => failed(error, this.retryAtMs))
      .finally(() => {
        ended();
        this.#running.delete(run);
      });
    this.#running.add(run);
  }

  /** From now on it is stopped; resolves when nothing that was begun is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }
}
