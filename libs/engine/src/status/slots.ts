import type { ConsumerRef } from '../config-engine.js';
import { consumerKey } from './incarnation.js';

/** How far above the highest slot that is known one that a consumer says it had is believed. */
const MAX_ABOVE = 1_000;

/**
 * Leases the lowest free number to each consumer of a workload under one root; the holder keeps it
 * while it is live, whoever comes next inherits it. One that a former owner has given, and of which
 * nothing was saved, is given again where it is free.
 */
export class Slots {
  readonly #holders = new Map<string, string[]>();

  /** Puts a consumer back where it was, unless somebody else is there. */
  restore(ref: ConsumerRef, slot: number): void {
    const workload = `${ref.root}/${ref.workload}`;
    const holders = this.#holders.get(workload) ?? [];
    this.#holders.set(workload, holders);
    while (holders.length <= slot) holders.push('');
    if (holders[slot] === '') holders[slot] = consumerKey(ref);
  }

  /** The consumer's slot; `isLive` tells of another holder's key whether it still counts. */
  lease(ref: ConsumerRef, wanted: number | null, isLive: (key: string) => boolean): number {
    const workload = `${ref.root}/${ref.workload}`;
    const key = consumerKey(ref);
    const holders = this.#holders.get(workload) ?? [];
    this.#holders.set(workload, holders);
    if (wanted !== null && holders[wanted] === key) return wanted;
    const held = holders.indexOf(key);
    if (held >= 0) return held;
    const isFree = (slot: number): boolean => {
      const holder = holders[slot];
      return holder === undefined || holder === '' || !isLive(holder);
    };
    const isBelieved = wanted !== null && wanted <= holders.length + MAX_ABOVE;
    let slot = isBelieved && isFree(wanted) ? wanted : 0;
    while (!isFree(slot)) slot += 1;
    while (holders.length <= slot) holders.push('');
    holders[slot] = key;
    return slot;
  }
}
