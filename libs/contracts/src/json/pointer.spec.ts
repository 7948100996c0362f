import { describe, expect, it } from 'vitest';
import { joinPointer } from './pointer.js';

describe('joinPointer', () => {
  /** RFC 6901, section 5. */
  it.each([
    ['', '/'],
    ['foo', '/foo'],
    ['a/b', '/a~1b'],
    ['c%d', '/c%d'],
    ['k"l', '/k"l'],
    [' ', '/ '],
    ['m~n', '/m~0n'],
    ['~1', '/~01'],
    [0, '/0'],
  ])('appends %j as %s', (key, pointer) => {
    expect(joinPointer('', key)).toBe(pointer);
    expect(joinPointer('/x', key)).toBe(`/x${pointer}`);
  });
});
