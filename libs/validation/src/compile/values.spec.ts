import type { Format } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { FORMATS } from './formats.js';
import { identityOf } from './identity.js';
import { isMultipleOf } from './multiple-of.js';

describe('isMultipleOf', () => {
  it.each([
    [19.99, 0.01, true],
    [0.07, 0.01, true],
    [0.075, 0.01, false],
    [1e300, 1e-300, true],
    [1e22, 1, true],
    [1.5, 1, false],
    [-4.5, 1.5, true],
    [0, 0.3, true],
    [7, 2, false],
    [9007199254740993, 2, true],
  ])('%d of %d: %s', (value, divisor, expected) => {
    expect(isMultipleOf(value, divisor)).toBe(expected);
  });
});

describe('identityOf', () => {
  it('is shared by equal values only', () => {
    expect(identityOf({ a: 1, b: [true, null] })).toBe(identityOf({ b: [true, null], a: 1.0 }));
    expect(identityOf(-0)).toBe(identityOf(0));
    const different = [1, '1', true, 'true', null, 'null', [1], ['1'], [[1]], {}, [], { a: 1 }];
    expect(new Set(different.map(identityOf)).size).toBe(different.length);
  });
});

describe('the format url', () => {
  const url = FORMATS['url'] as (text: string) => boolean;
  const original = fullFormats.url as RegExp;
  const parts = ['http://', 'https://', 'ftp:', '//', '@', ':', 'a', '.com', 'b-c', '10.0.0.1'];
  const more = ['8.8.8.8', ':80', ':8', '/', ' ', '/p?q#f', 'é', '-', '_'];

  it('says what the expression of ajv-formats says', () => {
    const text = fc.array(fc.constantFrom(...parts, ...more), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom('', 'http://', 'FTP://'), text, (start, rest) => {
        const candidate = start + rest.join('');
        expect(url(candidate), candidate).toBe(original.test(candidate));
      }),
      { numRuns: 5_000 },
    );
    expect(url('http://user:pass@example.com:8080/a@b')).toBe(true);
  });
});

describe('every format', () => {
  const length = 128 * 1024;
  const starts = ['', 'a@', 'http://a', 'a://[', 'P', '{', '0', '2020-01-01T00:00:00.'];
  const parts = ['a', '1', '-', '.', '@', '/', ':', '%', '{', '}', ',', '=', '#', '\n', 'T', '('];
  const pairs = ['a.', 'a-', 'a@', '/a', '1:', '{a', '%41', '~1', '(?', '[a', '1.', 'A\n', '::'];
  const texts = starts.flatMap((start) =>
    [...parts, ...pairs].map((part) => start + part.repeat(length / part.length)),
  );
  const checks = Object.entries(FORMATS).flatMap(([name, format]) => {
    const validate = validatorOf(format);
    return validate === undefined ? [] : [[name, validate] as const];
  });

  /** An expression in quadratic time would take minutes. */
  it.each(checks)('%s is soon done with long strings that nearly match', (_, validate) => {
    for (const text of texts) expect(typeof validate(`${text}^`)).toBe('boolean');
  });

  it('is a string format or one of these', () => {
    const names = new Set(checks.map(([name]) => name));
    const others = Object.keys(FORMATS).filter((name) => !names.has(name));
    expect(others).toEqual(['int32', 'int64', 'float', 'double', 'password', 'binary']);
  });
});

function validatorOf(format: Format): ((text: string) => unknown) | undefined {
  if (format instanceof RegExp) return (text) => format.test(text);
  if (typeof format === 'function') return format;
  if (typeof format !== 'object' || format.type === 'number') return undefined;
  const { validate } = format as { validate: (text: string) => unknown };
  return validate;
}
