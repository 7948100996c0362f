import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonValue } from '../testing/json.arbitrary.js';
import { seed } from '../testing/seed.js';
import { canonicalize } from './canonicalize.js';
import { isJsonObject } from './json-value.js';
import type { JsonObject, JsonValue } from './json-value.js';
import { parseJson } from './parse-json.js';

/** The plainest canonical form: collect, sort, join. */
function plainly(value: JsonValue): string {
  if (Array.isArray(value)) return `[${(value as JsonValue[]).map(plainly).join()}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${plainly(member)}`).join()}}`;
}

/** The same value, the keys of every object in another order. */
function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as JsonValue[]).map(reversed);
  if (!isJsonObject(value)) return value;
  const members = Object.entries(value).map(([key, member]) => [key, reversed(member)]);
  return Object.fromEntries(members.reverse()) as JsonObject;
}

describe('canonicalize, any value', () => {
  it('prints what a plain second implementation prints, in any order of keys', () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        const text = canonicalize(value);
        expect(text).toBe(plainly(value));
        expect(canonicalize(reversed(value))).toBe(text);
      }),
      { seed, numRuns: 2000 },
    );
  });

  it('is read back as the same value, and printed as the same text', () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        const text = canonicalize(value);
        const read = parseJson(text);
        deepStrictEqual(read, { ok: true, value });
        if (read.ok) expect(canonicalize(read.value)).toBe(text);
      }),
      { seed, numRuns: 2000 },
    );
  });
});
