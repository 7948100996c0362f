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
  '\\pL',
  '\\p{^L}',
  '\\p{Greek}',
  '[\\pN]',
  '[[:alpha:]]',
  '[[:^word:]-x]',
  '\\A',
  '\\z',
  '\\Z',
  '\\Q',
  '\\E',
  '\\a',
  '\\C',
  '\\G',
  '\\x{41}',
  '\\x{1F600}',
  '\\x',
  '\\u{2}',
  '\\ud83d',
  '[\\ud800-\\udbff]',
  '[^\\ud83d]',
  '[\\u0000-\\uffff]',
  '[\\_\\ud000-\\ude00]',
  '\\07',
  '\\1',
  '\\8',
  '\\c1',
  '[\\c_]',
  '\\k',
  '\\e',
  '\\é',
];
const QUANTIFIERS = ['', '', '', '*', '+', '?', '*?', '{2}', '{1,2}', '{0,}?'];
const CHARACTERS = ['a', 'b', 'c', 'B', '1', '-', '_', '.', '/', '\n', '\r', '\u2028', '\u00a0'];
const ODD_CHARACTERS = ['p', 'L', 'x', 'A', 'z', 'Q', 'E', ':', 'α', '\ud83d', '\ude00', '\u0007'];
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
  .array(fc.constantFrom(...CHARACTERS, ...MORE_CHARACTERS, ...ODD_CHARACTERS), { maxLength: 6 })
  .map((characters) => characters.join(''));

/**
 * V8 finds `\B` between the two halves of a character, where a search with the flag "u" does not begin by
 * ECMA-262 (AdvanceStringIndex), so it is no judge there.
 */
function isJudged(flags: string, source: string, sample: string): boolean {
  return flags !== 'u' || !source.includes('\\B') || !/[\u{10000}-\u{10FFFF}]/u.test(sample);
}

describe('a pattern that is legal in ECMA-262', () => {
  it.each(['u', ''] as const)('matches what it matches there, with the flags "%s"', (flags) => {
    let linear = 0;
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 5, maxLength: 5 }), (source, texts) => {
        fc.pre(flagsOf(source) === flags);
        const compiled = compilePattern(source);
        if (compiled?.linear === true) linear += 1;
        const native = new RegExp(source, flags);
        for (const sample of texts.filter((one) => isJudged(flags, source, one))) {
          expect(compiled?.test(sample), JSON.stringify([source, sample])).toBe(
            native.test(sample),
          );
        }
      }),
      { numRuns: 3_000, maxSkipsPerRun: 1_000 },
    );
    expect(linear).toBeGreaterThan(1_000);
  });
});
