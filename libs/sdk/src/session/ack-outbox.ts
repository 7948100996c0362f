import { FORMAT } from '@pawl/contracts';
import type { Ack, AckItem } from '@pawl/contracts';

/** What happened, by this process's monotonic clock. */
export type AckEntry = Omit<AckItem, 'ageMs'> & { readonly atMs: number };

/** Bytes of one ack message, roughly; far below a NATS server's 1 MiB. */
const MESSAGE_LENGTH = 200_000;
const ITEMS_PER_MESSAGE = 1_000;

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
    const messages: Ack[] = [];
    let items: AckItem[] = [];
    let length = 0;
    const finish = (): void => {
      if (items.length > 0) messages.push({ format: FORMAT, incarnation, items });
      items = [];
      length = 0;
    };
    for (const { atMs, ...rest } of [...this.#rejected.values(), ...this.#applied.values()]) {
      const item: AckItem = { ...rest, ageMs: Math.max(0, Math.round(nowMs - atMs)) };
      const itemLength = 3 * JSON.stringify(item).length;
      if (items.length >= ITEMS_PER_MESSAGE || length + itemLength > MESSAGE_LENGTH) finish();
      items.push(item);
      length += itemLength;
    }
    finish();
    this.#applied.clear();
    this.#rejected.clear();
    return messages;
  }
}
