import { describe, expect, it } from 'vitest';
import {
  address,
  isAtOrBelow,
  layerAddresses,
  MAX_ADDRESS_LENGTH,
  parseAddress,
} from './address.js';

const SEGMENT_63 = 'a'.repeat(63);
const LONGEST = `${Array.from({ length: 8 }, () => SEGMENT_63).join('/')}:${SEGMENT_63}`;

describe('parseAddress', () => {
  it.each([
    ['acme', 'acme', 'acme', 'config'],
    ['acme/prod/checkout', 'acme/prod/checkout', 'acme/prod/checkout', 'config'],
    ['acme/prod:limits', 'acme/prod:limits', 'acme/prod', 'limits'],
    ['acme/prod:config', 'acme/prod', 'acme/prod', 'config'],
    ['0/a-b_c/9', '0/a-b_c/9', '0/a-b_c/9', 'config'],
    ['a/b/c/d/e/f/g/h', 'a/b/c/d/e/f/g/h', 'a/b/c/d/e/f/g/h', 'config'],
    ['constructor/config', 'constructor/config', 'constructor/config', 'config'],
    [LONGEST, LONGEST, LONGEST.split(':')[0], SEGMENT_63],
  ])('reads %s', (input, text, scope, document) => {
    const parsed = parseAddress(input);
    expect(parsed).toMatchObject({ ok: true, address: { text, scope, document } });
    if (parsed.ok) expect(parsed.address.root).toBe(input.split('/')[0]?.split(':')[0]);
  });

  it.each([
    ['', /not a segment/],
    ['/acme', /not a segment/],
    ['acme/', /not a segment/],
    ['acme//prod', /not a segment/],
    ['acme/../prod', /"\.\." is not a segment/],
    ['acme/.', /not a segment/],
    ['Acme', /not a segment/],
    ['acme/Prod', /not a segment/],
    ['-acme', /not a segment/],
    ['_acme', /not a segment/],
    ['ac me', /not a segment/],
    ['acme%2fprod', /not a segment/],
    ['acmé', /not a segment/],
    ['acme\n', /not a segment/],
    ['acme:', /not a segment/],
    [':limits', /not a segment/],
    ['acme:Limits', /not a segment/],
    ['acme:a/b', /not a segment/],
    ['acme:a:b', /one colon/],
    ['a/b/c/d/e/f/g/h/i', /8 segments/],
    ['a'.repeat(64), /not a segment/],
    ['a'.repeat(MAX_ADDRESS_LENGTH + 1), /at most 575 characters/],
  ])('refuses %j', (input, message) => {
    const parsed = parseAddress(input);
    expect(parsed.ok ? 'accepted' : parsed.message).toMatch(message);
    expect(() => address(input)).toThrow(TypeError);
  });
});

describe('layers of an address', () => {
  it('go from the root down, under the same document name', () => {
    const texts = layerAddresses(address('acme/prod/checkout:limits')).map((layer) => layer.text);
    expect(texts).toEqual(['acme:limits', 'acme/prod:limits', 'acme/prod/checkout:limits']);
  });

  it.each([
    ['acme/prod', 'acme/prod', true],
    ['acme/prod/checkout', 'acme/prod', true],
    ['acme/production', 'acme/prod', false],
    ['acme', 'acme/prod', false],
    ['acme/prod/checkout:limits', 'acme/prod', false],
    ['acme/prod/checkout:limits', 'acme:limits', true],
  ])('%s is at or below %s: %s', (below, above, expected) => {
    expect(isAtOrBelow(address(below), address(above))).toBe(expected);
  });
});
