import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '../testing/seed.js';
import { hasLoneSurrogate, utf8Bytes, utf8Length } from './unicode.js';

const text = fc.string({ unit: fc.integer({ max: 0xffff }).map((c) => String.fromCharCode(c)) });

describe('UTF-8', () => {
  it('is written and measured as encoders do, lone surrogates included', () => {
    const mixed = fc.oneof(text, fc.string({ unit: 'binary' }), fc.string());
    fc.assert(
      fc.property(mixed, (value) => {
        const encoded = new TextEncoder().encode(value);
        expect([...utf8Bytes(value)]).toEqual([...encoded]);
        expect(utf8Length(value)).toBe(encoded.length);
        expect(hasLoneSurrogate(value)).toBe(Buffer.from(value).toString() !== value);
      }),
      { seed, numRuns: 3000 },
    );
  });

  it.each([
    ['', 0],
    ['\u007f', 1],
    ['\u0080\u07ff', 4],
    ['\u0800\ud7ff\ue000\uffff', 12],
    ['\u{10000}\u{10ffff}', 8],
    ['\ud800', 3],
    ['\udc00\ud800a', 7],
    ['\ud800\ud800\udc00', 7],
  ])('of %j has %i bytes', (value, bytes) => {
    expect(utf8Length(value)).toBe(bytes);
    expect(utf8Bytes(value)).toHaveLength(bytes);
  });
});
