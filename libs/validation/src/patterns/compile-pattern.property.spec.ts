import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { compilePattern, flagsOf } from './compile-pattern.js';

/** Pieces of patterns within RE2's language, in the spellings that real schemas use. */
const ATOMS = [
  'a',
  'b',
  '-',
  '/',
  'é',
  '😀',
  '.',
  '\\d',
  '\\D',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
  '\\n',
  '\\t',
  '\\v',
  '\\0',
  '\\x61',
  '\\u0062',
  '\\u{1F600}',
  '\\uD83D\\uDE00',
  '\\cJ',
  '\\.',
  '\\/',
  '\\-',
  '\\_',
  '\\p{L}',
  '\\P{Lu}',
  '[abc]',
  '[^abc]',
  '[a-c-]',
  '[\\w-.]',
  '[\\s\\d]',
  '[^\\S]',
  '[[a]',
  '[\\]\\\\^]',
  '[\\b]',
  '[é-😀]',
  '[]',
  '[^]',
  '{',
  '}',
  ']',
  '^',
  '$',
  '\\b',
  '\\B',
];
const QUANTIFIERS = ['', '', '', '*', '+', '?', '*?', '{2}', '{1,2}', '{0,}?'];
const CHARACTERS = ['a', 'b', 'c', 'B', '1', '-', '_', '.', '/', '\n', '\r', '\u2028', '\u00a0'];
const MORE_CHARACTERS = ['\t', '\v', '\0', '\b', ' ', '\ufeff', 'é', 'É', '😀', '{', '}', '[', ']'];

const pattern: fc.Arbitrary<string> = fc.letrec<{ pattern: string }>((tie) => ({
  pattern: fc
    .array(
      fc.tuple(
        fc.oneof(
          { weight: 5, arbitrary: fc.constantFrom(...ATOMS) },
          { weight: 1, arbitrary: tie('pattern').map((inside) => `(${inside})`) },
          { weight: 1, arbitrary: tie('pattern').map((inside) => `(?:${inside}|a)`) },
          { weight: 1, arbitrary: tie('pattern').map((inside) => `(?<name>${inside})`) },
        ),
        fc.constantFrom(...QUANTIFIERS),
      ),
      { minLength: 1, maxLength: 4 },
    )
    .map((terms) => terms.map((term) => term.join('')).join('')),
})).pattern;

const text = fc
  .array(fc.constantFrom(...CHARACTERS, ...MORE_CHARACTERS), { maxLength: 6 })
  .map((characters) => characters.join(''));

describe('a pattern on the linear-time engine', () => {
  it('matches what ECMA-262 matches', () => {
    let linear = 0;
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 5, maxLength: 5 }), (source, texts) => {
        const flags = flagsOf(source);
        fc.pre(flags === 'u');
        const compiled = compilePattern(source);
        if (compiled?.linear === true) linear += 1;
        for (const sample of texts) {
          expect(compiled?.test(sample), JSON.stringify([source, sample])).toBe(
            new RegExp(source, 'u').test(sample),
          );
        }
      }),
      { numRuns: 2_000 },
    );
    expect(linear).toBeGreaterThan(1_500);
  });
});
