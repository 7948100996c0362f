import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contains } from '../state/index.js';
import type { Interval } from '../state/index.js';
import { RangeIndex } from './range-index.js';

const name = fc
  .array(fc.constantFrom('\0', 'a', 'b', '\u00ff'), { maxLength: 3 })
  .map((characters) => characters.join(''));
const interval: fc.Arbitrary<Interval> = fc.oneof(
  name.map((from) => ({ from, until: `${from}\0` })),
  fc.record({ from: name, until: fc.option(name) }),
);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), interval }) },
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('find' as const), key: name }),
);

it('finds the members of exactly those ranges that hold a key', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const index = new RangeIndex<number>();
      const all = new Map<number, Interval>();
      steps.forEach((one, number) => {
        if (one.kind === 'add') {
          index.add(one.interval, number);
          all.set(number, one.interval);
        } else if (one.kind === 'remove') {
          const member = [...all.keys()][one.at % Math.max(1, all.size)];
          if (member === undefined) return;
          index.remove(all.get(member)!, member);
          all.delete(member);
        } else {
          const found: number[] = [];
          index.visit(one.key, (members) => found.push(...members));
          const holding = [...all].filter(([, range]) => contains(range, one.key));
          expect(found.sort()).toEqual(holding.map(([member]) => member).sort());
        }
        expect(index.size).toBe(all.size);
      });
    }),
    { numRuns: 3000 },
  );
});

it('looks at few of many ranges', () => {
  const index = new RangeIndex<number>();
  const key = (at: number): string => `k${String(at).padStart(6, '0')}`;
  for (let at = 0; at < 20_000; at += 1) index.add({ from: key(at), until: key(at + 2) }, at);
  let looked = 0;
  const members: number[] = [];
  /* Comparing a key reads its text: a key that counts how often. */
  const counting = {
    [Symbol.toPrimitive]: () => {
      looked += 1;
      return key(7777);
    },
  } as unknown as string;
  index.visit(counting, (found) => members.push(...found));
  expect(members).toEqual([7776, 7777]);
  expect(looked).toBeLessThan(200);
});
