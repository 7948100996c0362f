import { describe, expect, it } from 'vitest';

import { compilePattern } from './compile-pattern.js';

describe('compilePattern', () => {
  it.each([
    ['^(a+)+$', 'aaa', true],
    ['^[\\w-.]+$', 'a-b.c', true],
    ['^foo\\_bar$', 'foo_bar', true],
    ['^\\s$', '\u00a0', true],
    ['^.$', '\u2028', false],
    ['a$', 'a\n', false],
    ['^\\p{Script=Greek}+$', 'αβγ', true],
    ['^(?i)debug$', 'DEBUG', true],
    ['^[^]$', '\n', true],
    ['[]', 'a', false],
    ['{x}', '{x}', true],
    ['', 'anything', true],
    ['^😀?$', '😀', true],
    ['^\\pL$', 'pL', true],
    ['^\\pL$', 'a', false],
    ['^[\\pN]$', 'N', true],
    ['\\p{^L}', 'a', false],
    ['\\p{L}|\\p{x}', 'p{x}', true],
    ['^[[:alpha:]]$', 'a]', true],
    ['^[[:alpha:]]$', 'a', false],
    ['\\A\\z', '', false],
    ['\\Qa.c\\E', 'QabcE', true],
    ['^\\x{3}$', 'xxx', true],
    ['^\\_.$', '_😀', false],
    ['^[\\_\\ud83d]+\\ude00$', '_😀', true],
  ])('runs %s in linear time', (source, text, matches) => {
    const pattern = compilePattern(source);
    expect(pattern?.linear).toBe(true);
    expect(pattern?.test(text)).toBe(matches);
  });

  it.each([
    ['^(?!foo)', 'foobar', false],
    ['(?<=a)b', 'ab', true],
    ['(?<!a)b', 'ab', false],
    ['^(a|b)\\1$', 'aa', true],
    ['^(?<x>a|b)\\k<x>$', 'ab', false],
    ['^a{1,1001}$', 'aaa', true],
    ['^(?:[ab]{100}){90}$', 'ab', false],
    ['^(?:[ab]{100}){101}$', 'ab', false],
    ['^\\p{General_Category=Lu}$', 'A', true],
    ['^\\101$', 'A', true],
    ['^\\ud83d$', '\ud83d', true],
  ])('leaves %s to the native engine', (source, text, matches) => {
    const pattern = compilePattern(source);
    expect(pattern?.linear).toBe(false);
    expect(pattern?.test(text)).toBe(matches);
  });

  it.each(['(', '[a', 'a**', '(?<x', 'a{2,1}', '\\'])('refuses %s', (source) => {
    expect(compilePattern(source)).toBeUndefined();
  });
});
