import { deepStrictEqual } from 'node:assert/strict';
import { describe, expect, it } from 'vitest';
import { frozen } from '../testing/frozen.js';
import { canonicalize } from './canonicalize.js';
import type { JsonObject } from './json-value.js';
import { mergeDocument } from './merge-document.js';

const parse = (text: string): JsonObject => frozen(JSON.parse(text) as JsonObject);

describe('mergeDocument', () => {
  it.each([
    ['{}', '{"a":1}', '{"a":1}'],
    ['{"a":1,"b":2}', '{"b":3,"c":4}', '{"a":1,"b":3,"c":4}'],
    ['{"a":{"x":1,"y":2}}', '{"a":{"y":3}}', '{"a":{"x":1,"y":3}}'],
    ['{"a":[1,2]}', '{"a":[3]}', '{"a":[3]}'],
    ['{"a":{"x":1}}', '{"a":null}', '{"a":null}'],
    ['{"a":null}', '{"a":{"x":1}}', '{"a":{"x":1}}'],
    ['{"a":[{"x":1}]}', '{"a":{"x":2}}', '{"a":{"x":2}}'],
    ['{"a":1,"b":2}', '{"a":{"$pawl":"delete"}}', '{"b":2}'],
    ['{"b":2}', '{"a":{"$pawl":"delete"}}', '{"b":2}'],
    ['{}', '{"a":{"$pawl":"delete"},"b":{"c":{"$pawl":"delete"}}}', '{"b":{}}'],
    ['{"a":{"x":1}}', '{"a":{"$pawl":"replace","y":2}}', '{"a":{"y":2}}'],
    ['{"a":{"x":1}}', '{"a":{"$pawl":"replace"}}', '{"a":{}}'],
    ['{"a":1}', '{"a":{"$pawl":"replace","y":2}}', '{"a":{"y":2}}'],
    ['{"a":1,"b":{"c":2}}', '{"$pawl":"replace","b":{"d":3}}', '{"b":{"d":3}}'],
    [
      '{"a":{"b":1}}',
      '{"$pawl":"replace","a":{"$pawl":"replace","c":{"$pawl":"delete"}}}',
      '{"a":{}}',
    ],
    ['{"a":1}', '{"a":{"b":{"$pawl":"delete"},"c":3}}', '{"a":{"c":3}}'],
    ['{"constructor":{"a":1}}', '{"constructor":{"b":2}}', '{"constructor":{"a":1,"b":2}}'],
    ['{"a":1}', '{"toString":{"x":1},"":{"y":2}}', '{"a":1,"toString":{"x":1},"":{"y":2}}'],
    ['{"":{"a":1}}', '{"":{"$pawl":"delete"},"constructor":1}', '{"constructor":1}'],
    ['{"a":["$pawl"]}', '{"b":"$pawl"}', '{"a":["$pawl"],"b":"$pawl"}'],
  ])('lays over %s the layer %s: %s', (base, overlay, result) => {
    const merged = mergeDocument(parse(base), parse(overlay));
    expect(canonicalize(merged)).toBe(canonicalize(parse(result)));
    deepStrictEqual(merged, JSON.parse(result));
  });

  it('shares what stays as it was', () => {
    const base = parse('{"a":{"x":{"y":1}},"b":{"z":1}}');
    expect(mergeDocument(base, {})).toBe(base);
    expect(mergeDocument(base, parse('{"a":{"x":{"y":1}},"b":{}}'))).toBe(base);
    expect(mergeDocument(base, parse('{"c":{"$pawl":"delete"}}'))).toBe(base);
    const merged = mergeDocument(base, parse('{"b":{"z":2}}'));
    expect(merged['a']).toBe(base['a']);
    const overlay = parse('{"c":{"d":[1]}}');
    expect(mergeDocument({}, overlay)).toBe(overlay);
    expect(mergeDocument(base, overlay)['c']).toBe(overlay['c']);
  });
});
