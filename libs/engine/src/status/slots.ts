import type { ConsumerRef } from '../config-engine.js';
import { FirstBelow } from './first-below.js';
import { consumerKey } from './incarnation.js';

/** How far above the highest slot that is known one that a consumer says it had is believed. */
const MAX_ABOVE = 1_000;

/** Tells whether those who hold slots still count. */
export interface Heard {
  /**
   * Monotonic time at which the consumer of a key was last heard; -Infinity: never, or it has left. Only
   * grows until {@link Slots.hasLeft} is told otherwise.
   */
  lastMs(key: string): number;
  /** Monotonic time: who was last heard before is not live. */
  readonly liveSinceMs: number;
}

/**
 * Leases the lowest free number to each consumer of a workload under one root; the holder keeps it
 * while it is live, whoever comes next inherits it. One that a former owner has given, and of which
 * nothing was saved, is given again where it is free.
 */
export class Slots {
  readonly #workloads = new Map<string, Holders>();

  /** Puts a consumer back where it was, unless somebody else is there. */
  restore(ref: ConsumerRef, slot: number): void {
    this.#holders(ref).restore(consumerKey(ref), slot);
  }

  /** The consumer's slot. In the logarithm of how many there are, unless many have fallen silent. */
  lease(ref: ConsumerRef, wanted: number | null, heard: Heard): number {
    return this.#holders(ref).lease(consumerKey(ref), wanted, heard);
  }

  /** A process of this consumer said goodbye, or was forgotten. */
  hasLeft(ref: ConsumerRef): void {
    this.#holders(ref).hasLeft(consumerKey(ref));
  }

  #holders({ root, workload }: ConsumerRef): Holders {
    const name = `${root}/${workload}`;
    const known = this.#workloads.get(name);
    if (known !== undefined) return known;
    const made = new Holders();
    this.#workloads.set(name, made);
    return made;
  }
}

/** Who holds the slots of one workload. */
class Holders {
  readonly #keys: (string | undefined)[] = [];
  /** The slots of each key: one, but several were saved for the processes of some. */
  readonly #slots = new Map<string, Set<number>>();
  /** By slot, when its holder was last heard, or a time before that. */
  readonly #heardMs = new FirstBelow();

  restore(key: string, slot: number): void {
    this.#reach(slot);
    if (this.#keys[slot] === undefined) this.#put(key, slot, -Infinity);
  }

  lease(key: string, wanted: number | null, heard: Heard): number {
    const held = this.#slots.get(key);
    if (held !== undefined) {
      return wanted !== null && held.has(wanted) ? wanted : Math.min(...held);
    }
    const isBelieved = wanted !== null && wanted <= this.#keys.length + MAX_ABOVE;
    const isWanted = isBelieved && this.#isFree(wanted, heard);
    const slot = isWanted ? wanted : this.#lowestFree(heard);
    this.#reach(slot);
    this.#put(key, slot, heard.lastMs(key));
    return slot;
  }

  hasLeft(key: string): void {
    for (const slot of this.#slots.get(key) ?? []) this.#heardMs.set(slot, -Infinity);
  }

  #lowestFree(heard: Heard): number {
    for (;;) {
      const slot = this.#heardMs.find(heard.liveSinceMs);
      if (this.#isFree(slot, heard)) return slot;
    }
  }

  /** Learns meanwhile when its holder was heard, so that it is not looked at again while that is enough. */
  #isFree(slot: number, heard: Heard): boolean {
    const holder = this.#keys[slot];
    if (holder === undefined) return true;
    const lastMs = heard.lastMs(holder);
    this.#heardMs.set(slot, lastMs);
    return lastMs < heard.liveSinceMs;
  }

  #reach(slot: number): void {
    while (this.#keys.length <= slot) this.#keys.push(undefined);
  }

  #put(key: string, slot: number, heardMs: number): void {
    const before = this.#keys[slot];
    const others = before === undefined ? undefined : this.#slots.get(before);
    others?.delete(slot);
    if (before !== undefined && others?.size === 0) this.#slots.delete(before);
    this.#keys[slot] = key;
    this.#slots.set(key, (this.#slots.get(key) ?? new Set()).add(slot));
    this.#heardMs.set(slot, heardMs);
  }
}
