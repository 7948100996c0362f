import { expect, it } from 'vitest';
import { allPlaces, localInSchema } from './local-in-schema.js';
import { mergeThreeWay } from './merge-three-way.js';
import { pointerSet } from './pointer-set.js';

const SCHEMA = {
  properties: {
    replicas: { type: 'integer', 'x-pawl-local': true },
    database: { properties: { url: { 'x-pawl-local': true }, pool: { 'x-pawl-local': false } } },
    constructor: true,
  },
  allOf: [{ properties: { pool: { 'x-pawl-local': true } } }],
};

it('takes from a schema what its properties say, beside what else is local', () => {
  const marked = localInSchema(SCHEMA);
  const sets = [pointerSet<true>([['/a~1b', true]]), ...(marked === undefined ? [] : [marked])];
  const of = (n: number) => ({
    ...{ 'a/b': n, replicas: n, pool: n },
    database: { url: n, pool: n },
  });
  const { document } = mergeThreeWay({
    ...{ base: of(1), theirs: of(2), ours: of(1), limit: 10 },
    ...{ local: allPlaces(sets), resolve: pointerSet([]) },
  });
  expect(document).toEqual({ 'a/b': 1, replicas: 1, pool: 2, database: { url: 1, pool: 2 } });
});

it('takes nothing from what marks nothing', () => {
  for (const schema of [true, {}, { properties: [] }, { properties: { a: {} } }]) {
    expect(localInSchema(schema)).toBeUndefined();
  }
});

it('marks the whole where a set or a schema does', () => {
  expect(localInSchema({ 'x-pawl-local': true })?.told).toBe(true);
  const whole = pointerSet<true>([['', true]]);
  expect(allPlaces([pointerSet<true>([['/a', true]]), whole]).told).toBe(true);
});
