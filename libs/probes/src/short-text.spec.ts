import { describe, expect, it } from 'vitest';
import { shortText } from './short-text.js';

describe('shortText', () => {
  it.each([
    ['sales are 12 % down 😀', 'sales are 12 % down 😀'],
    [' a\r\n\tb\u0000c\u2028\u0085 d\u001b[31m ', 'a b c d [31m'],
    ['a\ud83d b\ude00', 'a\uFFFD b\uFFFD'],
    [`${'x'.repeat(299)}😀`, `${'x'.repeat(299)}\uFFFD…`],
    ['x'.repeat(300), 'x'.repeat(300)],
    ['', ''],
  ])('%j', (text, short) => {
    expect(shortText(text)).toBe(short);
  });
});
