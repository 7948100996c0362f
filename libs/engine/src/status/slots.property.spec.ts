import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ConsumerRef } from '../config-engine.js';
import { consumerKey } from './incarnation.js';
import { Slots } from './slots.js';

/** `PAWL_SEED=n` replays a run. */
const seed = Number(process.env['PAWL_SEED'] ?? Date.now() % 2 ** 31);
process.stdout.write(`property tests run with PAWL_SEED=${seed}\n`);

/** The same by looking at each slot in turn. */
class PlainSlots {
  readonly #holders = new Map<string, string[]>();

  restore(ref: ConsumerRef, slot: number): void {
    const holders = this.#of(ref);
    while (holders.length <= slot) holders.push('');
    if (holders[slot] === '') holders[slot] = consumerKey(ref);
  }

  lease(ref: ConsumerRef, wanted: number | null, isLive: (key: string) => boolean): number {
    const holders = this.#of(ref);
    const key = consumerKey(ref);
    if (wanted !== null && holders[wanted] === key) return wanted;
    const held = holders.indexOf(key);
    if (held >= 0) return held;
    const isFree = (at: number): boolean => !holders[at] || !isLive(holders[at]);
    const isBelieved = wanted !== null && wanted <= holders.length + 1_000;
    let slot = isBelieved && isFree(wanted) ? wanted : 0;
    while (!isFree(slot)) slot += 1;
    while (holders.length <= slot) holders.push('');
    holders[slot] = key;
    return slot;
  }

  #of({ root, workload }: ConsumerRef): string[] {
    const holders = this.#holders.get(`${root}/${workload}`) ?? [];
    this.#holders.set(`${root}/${workload}`, holders);
    return holders;
  }
}

const consumer = fc
  .record({ workload: fc.constantFrom('a', 'b'), id: fc.nat(24) })
  .map(({ workload, id }): ConsumerRef => ({ root: 'acme', workload, consumerId: `pod-${id}` }));
const wanted = fc.oneof(fc.constant(null), fc.nat(20), fc.integer({ min: 990, max: 1_030 }));

const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('restore' as const), consumer, slot: fc.nat(12) }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('hello' as const), consumer, wanted }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), consumer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ack' as const), consumer }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('patience' as const), ms: fc.nat(30) }) },
);

it('leases the very slots that looking at each in turn would', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const [slots, plain] = [new Slots(), new PlainSlots()];
      const heardMs = new Map<string, number>();
      let [nowMs, patienceMs] = [0, 15];
      const lastMs = (key: string): number => heardMs.get(key) ?? -Infinity;
      for (const one of steps) {
        if (one.kind === 'pass') nowMs += one.ms;
        else if (one.kind === 'patience') patienceMs = one.ms;
        else if (one.kind === 'ack') heardMs.set(consumerKey(one.consumer), nowMs);
        else if (one.kind === 'restore') {
          for (const each of [slots, plain]) each.restore(one.consumer, one.slot);
        } else if (one.kind === 'leave') {
          heardMs.set(consumerKey(one.consumer), -Infinity);
          slots.hasLeft(one.consumer);
        } else {
          heardMs.set(consumerKey(one.consumer), nowMs);
          const liveSinceMs = nowMs - patienceMs;
          const expected = plain.lease(
            one.consumer,
            one.wanted,
            (key) => lastMs(key) >= liveSinceMs,
          );
          expect(slots.lease(one.consumer, one.wanted, { lastMs, liveSinceMs })).toBe(expected);
        }
      }
    }),
    { seed, numRuns: 500 },
  );
});
