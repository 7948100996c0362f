import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { ReplicatedLog } from './replicated-log.port.js';

/**
 * Lets many readers share one confirmation by the quorum: those that come while one is under way
 * share the next, which begins after them (as etcd's linearizable reads do).
 */
export class SharedBarrier {
  #running = false;
  #next: Promise<void> | null = null;
  /** Lets the next begin. */
  #begin: (() => void) | null = null;

  constructor(
    private readonly log: Pick<ReplicatedLog, 'barrier'>,
    private readonly timeoutMs: number,
  ) {}

  /**
   * Resolves once all that was committed anywhere before this call is applied here; rejects with a
   * {@link MetadataUnavailableError} when that takes longer than the timeout.
   */
  pass(): Promise<void> {
    if (!this.#running) return this.#run();
    this.#next ??= new Promise<void>((resolve) => {
      this.#begin = resolve;
    }).then(() => this.#run());
    return this.#next;
  }

  /** One that is waited for may have to wait for another: each has half of the time. */
  async #run(): Promise<void> {
    this.#running = true;
    this.#next = null;
    try {
      await this.log.barrier(this.timeoutMs / 2);
    } catch (error) {
      throw new MetadataUnavailableError('no quorum has answered in time', 'no', { cause: error });
    } finally {
      const begin = this.#begin;
      this.#begin = null;
      if (begin === null) this.#running = false;
      else begin();
    }
  }
}
