import type { JsonObject, JsonValue } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';

import { analyseSchema } from '../schema/analyse-schema.js';
import { type CompiledSchema, compileSchema } from './compile-schema.js';
import { UNLIMITED } from './meter.js';

const D2019 = 'https://json-schema.org/draft/2019-09/schema';
const D2020 = 'https://json-schema.org/draft/2020-12/schema';
const TEXT = { type: 'string' };
const TIGHT = { unevaluatedItems: false };

function compile(schema: JsonObject): CompiledSchema {
  const plan = analyseSchema({ $schema: D2020, ...schema });
  if (!plan.ok) throw new Error(plan.problem.detail);
  const compiled = compileSchema(plan.value);
  if (!compiled.ok) throw new Error(compiled.problem.detail);
  return compiled.value;
}

function messages(schema: JsonObject, value: JsonValue): readonly string[] {
  const compiled = compile(schema);
  const found = compiled.explain(value, UNLIMITED).map(({ message }) => message);
  expect(compiled.check(value, UNLIMITED).length === 0).toBe(found.length === 0);
  return found;
}

describe('unevaluatedItems', () => {
  const pair = { prefixItems: [{ type: 'integer' }], contains: TEXT };
  const recursive = { $ref: '#/$defs/x', $defs: { x: { contains: TEXT } } };

  it.each<[JsonObject, JsonValue, boolean]>([
    [pair, [1, 'a'], true],
    [pair, [1, 2, 'a'], false],
    [pair, [1, 'a', 2], false],
    [pair, [1, 2], false],
    [pair, ['a'], false],
    [{ contains: TEXT, minContains: 0 }, [], true],
    [{ contains: TEXT, minContains: 0 }, ['a'], true],
    [{ contains: TEXT, minContains: 0 }, [1], false],
    [{ contains: TEXT, maxContains: 1 }, ['a'], true],
    [{ contains: TEXT, maxContains: 1 }, ['a', 'b'], false],
    [{ contains: TEXT, minContains: 2 }, ['a', 'b'], true],
    [{ contains: TEXT, minContains: 2 }, ['a'], false],
    [{ contains: true }, [1, 2], true],
    [{ allOf: [{ contains: TEXT }, { contains: { const: 7 } }] }, ['a', 7], true],
    [{ allOf: [{ contains: TEXT }, { contains: { const: 7 } }] }, ['a', 7, null], false],
    [{ anyOf: [{ contains: TEXT }, { minItems: 2 }] }, ['a'], true],
    [{ anyOf: [{ contains: TEXT, maxItems: 1 }, { minItems: 2 }] }, ['a', 'a'], false],
    [{ oneOf: [{ contains: TEXT }, { contains: { type: 'null' } }] }, ['a', 'b'], true],
    [{ oneOf: [{ contains: TEXT }, { contains: { type: 'null' } }] }, ['a', 1], false],
    [{ if: { contains: TEXT }, then: { contains: { type: 'null' } } }, ['a', null], true],
    [{ if: { contains: TEXT }, else: { contains: { type: 'null' } } }, [null], true],
    [{ if: { contains: TEXT }, else: { contains: { type: 'null' } } }, ['a', null], false],
    [{ not: { not: { contains: TEXT } } }, ['a'], false],
    [recursive, ['a'], true],
    [recursive, ['a', 1], false],
    [{ anyOf: [{ items: true }] }, [1, 2], true],
    [{ items: true, minItems: 1 }, [1, 2], true],
  ])('false beside %j takes %j: %s', (schema, value, expected) => {
    expect(messages({ ...schema, ...TIGHT }, value).length === 0).toBe(expected);
  });

  it('may be a schema for what is left', () => {
    const schema = { ...pair, unevaluatedItems: { type: 'null' } };
    expect(messages(schema, [1, 'a', null])).toEqual([]);
    expect(messages(schema, [1, 'a', 2])).toEqual(['must be null']);
  });

  it('of 2019-09 knows nothing of contains', () => {
    const schema = { $schema: D2019, items: [{}], contains: TEXT, ...TIGHT };
    expect(messages(schema, ['a'])).toEqual([]);
    expect(messages(schema, ['a', 'b'])).toEqual(['must not have more than 1 items']);
  });

  it('says what is too much', () => {
    expect(messages({ ...pair, ...TIGHT }, [1, 'a', 2, 3])).toEqual([
      'the item 2 is not allowed',
      'the item 3 is not allowed',
    ]);
    const either = { anyOf: [{ prefixItems: [true] }], ...TIGHT };
    expect(messages(either, [1, 2])).toEqual(['must not have more than 1 items']);
  });

  it('takes no longer to understand, however often a contains can be reached', () => {
    const $defs: Record<string, JsonValue> = { d30: { contains: TEXT } };
    for (let level = 0; level < 30; level += 1) {
      const next = { $ref: `#/$defs/d${level + 1}` };
      $defs[`d${level}`] = { allOf: [next, next] };
    }
    const schema = { $schema: D2020, $ref: '#/$defs/d0', $defs, ...TIGHT };
    expect(analyseSchema(schema).ok).toBe(true);
    for (let level = 0; level < 30; level += 1) {
      const next = `#/$defs/d${level + 1}`;
      $defs[`d${level}`] = { anyOf: [{ $ref: next }, { $ref: next, minItems: level }] };
    }
    const outcome = analyseSchema(schema);
    expect(outcome.ok ? undefined : outcome.problem.code).toBe('too-large');
  });
});

describe('a wide oneOf', () => {
  const many = Array.from({ length: 500 }, (_, at) => at);
  const properties = { properties: { a: true } };
  const schema = {
    properties: {
      value: { oneOf: [...many.map((at) => ({ const: at })), { type: 'integer', minimum: 499 }] },
    },
  };

  it('holds when exactly one alternative does', () => {
    expect(messages(schema, { value: 7 })).toEqual([]);
    expect(messages(schema, { value: 500 })).toEqual([]);
    expect(messages(schema, { value: 499 })).toEqual([
      'must match exactly one of the alternatives, but matches 2 of them: 499, 500',
    ]);
    const none = messages(schema, { value: 'x' });
    expect(none.at(-1)).toBe('matches none of the allowed alternatives');
    expect(none.length).toBeLessThan(50);
  });

  it('takes booleans, and alternatives that lead back', () => {
    const always = { oneOf: [true, ...many.map((at) => ({ const: at }))] };
    expect(messages(always, 'x')).toEqual([]);
    expect(messages(always, 7)).toHaveLength(1);
    const tree = {
      oneOf: [...many.map((at) => ({ const: at })), { type: 'array', items: { $ref: '#' } }],
    };
    expect(messages(tree, [1, [2, [3]], []])).toEqual([]);
    expect(messages(tree, [1, [2, [-3]], []])).not.toEqual([]);
  });

  it('has evaluated what the one that holds has', () => {
    const named = many.map((at) => ({ properties: { [`p${at}`]: TEXT }, required: [`p${at}`] }));
    const tight = { oneOf: [...named, false], ...properties, unevaluatedProperties: false };
    expect(messages(tight, { p9: 'x', a: 1 })).toEqual([]);
    expect(messages(tight, { p9: 'x', b: 1 })).toEqual(['the property "b" is not allowed']);
    const listed = many.map((at) => ({ prefixItems: [{ const: at }] }));
    expect(messages({ oneOf: listed, ...TIGHT }, [7])).toEqual([]);
    expect(messages({ oneOf: listed, ...TIGHT }, [7, 8])).toEqual([
      'must not have more than 1 items',
    ]);
  });
});
