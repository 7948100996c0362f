import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frozen } from '../testing/frozen.js';
import { jsonValue } from '../testing/json.arbitrary.js';
import { seed } from '../testing/seed.js';
import { isJsonObject } from './json-value.js';
import type { JsonValue } from './json-value.js';
import { mergePatch } from './merge-patch.js';

/** RFC 7396, section 2, as its pseudocode has it: changes the target. */
function pseudocode(target: JsonValue, patch: JsonValue): JsonValue {
  if (!isJsonObject(patch)) return patch;
  const result = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, pseudocode(result.get(name) ?? null, value));
  }
  return Object.fromEntries(result);
}

describe('mergePatch', () => {
  /** RFC 7396, appendix A. */
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('makes of %s by %s: %s', (target, patch, result) => {
    const merged = mergePatch(JSON.parse(target) as JsonValue, JSON.parse(patch) as JsonValue);
    expect(merged).toEqual(JSON.parse(result));
  });

  it('merges the example of RFC 7396, section 3', () => {
    const target = {
      title: 'Goodbye!',
      author: { givenName: 'John', familyName: 'Doe' },
      tags: ['example', 'sample'],
      content: 'This will be unchanged',
    };
    const patch = {
      title: 'Hello!',
      phoneNumber: '+01-123-456-7890',
      author: { familyName: null },
      tags: ['example'],
    };
    expect(mergePatch(target, patch)).toEqual({
      title: 'Hello!',
      author: { givenName: 'John' },
      tags: ['example'],
      content: 'This will be unchanged',
      phoneNumber: '+01-123-456-7890',
    });
  });

  it('does what the pseudocode does, and changes neither argument', () => {
    fc.assert(
      fc.property(jsonValue, jsonValue, (target, patch) => {
        const merged = mergePatch(frozen(target), frozen(patch));
        deepStrictEqual(merged, pseudocode(target, patch));
      }),
      { seed, numRuns: 2000 },
    );
  });
});
