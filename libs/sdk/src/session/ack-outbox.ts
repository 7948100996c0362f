import { FORMAT } from '@pawl/contracts';
import type { Ack, AckItem } from '@pawl/contracts';
import { batchesOf } from './batches.js';

/** What happened, by this process's monotonic clock. */
export type AckEntry = Omit<AckItem, 'ageMs'> & { readonly atMs: number };

/**
 * What waits to be acknowledged: per address the newest application and the newest rejection, so
 * that it is bounded by the addresses that are open.
 */
export class AckOutbox {
  readonly #applied = new Map<string, AckEntry>();
  readonly #rejected = new Map<string, AckEntry>();

  get isEmpty(): boolean {
    return this.#applied.size === 0 && this.#rejected.size === 0;
  }

  add(entry: AckEntry): void {
    const entries = entry.state === 'applied' ? this.#applied : this.#rejected;
    entries.set(entry.address, entry);
  }

  /** Takes everything out, as messages small enough to be sent. */
  drain(incarnation: string, nowMs: number): readonly Ack[] {
    const items = [...this.#rejected.values(), ...this.#applied.values()].map(
      ({ atMs, ...rest }): AckItem => ({ ...rest, ageMs: Math.max(0, Math.round(nowMs - atMs)) }),
    );
    this.#applied.clear();
    this.#rejected.clear();
    return batchesOf(items).map((batch) => ({ format: FORMAT, incarnation, items: batch }));
  }
}
