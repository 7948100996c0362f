import type { JsonValue } from '@pawl/contracts';
import { expect, it } from 'vitest';
import { isLargerThan } from './is-larger-than.js';

it.each<[string, JsonValue, boolean]>([
  ['nothing', {}, false],
  ['a short text', { a: 'x'.repeat(50) }, false],
  ['a long text', { a: 'x'.repeat(200) }, true],
  ['a long key', { ['k'.repeat(200)]: 1 }, true],
  ['many numbers', { a: Array<number>(100).fill(1) }, true],
  ['many small objects, deep inside', { a: { b: [{ c: Array<JsonValue>(100).fill({}) }] } }, true],
])('tells whether %s is above 100 bytes', (_what, value, larger) => {
  expect(isLargerThan(value, 100)).toBe(larger);
});
