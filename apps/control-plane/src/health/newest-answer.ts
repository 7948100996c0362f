import type { Clock } from '@pawl/kernel';

/** One question that several ask: at most one is under way, and its newest answer serves for a while. */
export class NewestAnswer {
  #asking: Promise<boolean> | undefined;
  #newest: { readonly answered: boolean; readonly atMs: number } | undefined;

  constructor(
    private readonly options: {
      /** Whether there was an answer. Must not reject, and must end. */
      readonly question: () => Promise<boolean>;
      /** How old an answer that {@link read} gives may be. */
      readonly maxAgeMs: number;
      readonly clock: Pick<Clock, 'monotonicMs'>;
    },
  ) {}

  /** Asks, unless that is being done. */
  ask(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** The answer that is under way, or the newest one; asks when that is too old, or there was none. */
  async read(): Promise<boolean> {
    const { clock, maxAgeMs } = this.options;
    const newest = this.#newest;
    const isOld = newest === undefined || clock.monotonicMs() - newest.atMs > maxAgeMs;
    return this.#asking !== undefined || isOld || !newest.answered ? this.ask() : true;
  }

  async #ask(): Promise<boolean> {
    const answered = await this.options.question();
    this.#newest = { answered, atMs: this.options.clock.monotonicMs() };
    return answered;
  }
}
