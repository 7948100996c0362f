import type { JsonObject, JsonValue } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';

import { compileSchema } from '../compile/compile-schema.js';
import { UNLIMITED } from '../compile/meter.js';
import { analyseSchema } from './analyse-schema.js';

const D2019 = 'https://json-schema.org/draft/2019-09/schema';
const D2020 = 'https://json-schema.org/draft/2020-12/schema';

const TEXT = { type: 'string' };
const TIGHT = { unevaluatedProperties: false };

function accepts(schema: JsonValue, document: JsonValue): boolean {
  const plan = analyseSchema(schema);
  if (!plan.ok) throw new Error(JSON.stringify(plan.problem));
  const compiled = compileSchema(plan.value);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problem));
  const first = compiled.value.check(document, UNLIMITED).length === 0;
  expect(compiled.value.explain(document, UNLIMITED).length === 0).toBe(first);
  return first;
}

function refusal(schema: JsonValue): { code: string; pointers: readonly string[] } | undefined {
  const plan = analyseSchema(schema);
  const outcome = plan.ok ? compileSchema(plan.value) : plan;
  if (outcome.ok) return undefined;
  const { code, errors = [] } = outcome.problem;
  return { code, pointers: errors.map((error) => error.pointer) };
}

describe('drafts', () => {
  const spellings = ['http', 'https'].flatMap((scheme) =>
    ['draft-07', 'draft/2019-09', 'draft/2020-12'].flatMap((draft) =>
      ['', '#'].map((hash) => `${scheme}://json-schema.org/${draft}/schema${hash}`),
    ),
  );

  it.each(spellings)('knows %s', ($schema) => {
    expect(accepts({ $schema, type: 'object' }, {})).toBe(true);
    expect(accepts({ $schema, type: 'object' }, [])).toBe(false);
  });

  it.each([
    'http://json-schema.org/draft-04/schema#',
    'http://json-schema.org/draft-06/schema#',
    'https://json-schema.org/draft/next/schema',
    'http://json-schema.org/schema#',
    'https://example.com/meta.json',
    7,
  ])('refuses %s', ($schema) => {
    expect(refusal({ $schema })).toEqual({ code: 'schema-draft', pointers: ['/$schema'] });
  });

  it('takes draft-07 when none is named, and gives each draft its own keywords', () => {
    expect(accepts({ items: [{ type: 'string' }], additionalItems: false }, ['a'])).toBe(true);
    expect(accepts({ items: [{ type: 'string' }], additionalItems: false }, ['a', 1])).toBe(false);
    const prefix = { prefixItems: [{ type: 'string' }] };
    expect(accepts(prefix, [1])).toBe(true);
    expect(accepts({ $schema: D2020, ...prefix }, [1])).toBe(false);
    const needs = { dependentRequired: { a: ['b'] } };
    expect(accepts(needs, { a: 1 })).toBe(true);
    expect(accepts({ $schema: D2019, ...needs }, { a: 1 })).toBe(false);
  });

  it('takes booleans as schemas', () => {
    expect(accepts(true, { a: 1 })).toBe(true);
    expect(accepts(false, { a: 1 })).toBe(false);
  });
});

describe('what is no schema', () => {
  it.each<[JsonValue, string]>([
    [{ type: 'strng' }, '/type'],
    [{ properties: { a: { minimum: 'x' } } }, '/properties/a/minimum'],
    [{ required: 'a' }, '/required'],
    [{ properties: { 'a/b': { type: 7 } } }, '/properties/a~1b/type'],
    [{ pattern: '(' }, '/pattern'],
    [{ patternProperties: { '[': true } }, '/patternProperties/['],
    [{ $schema: D2020, items: [{}] }, '/items'],
    [{ required: ['a', 'a'] }, '/required'],
    [{ $schema: D2020, required: ['a', 'a'] }, '/required'],
    [{ $schema: D2019, properties: { a: { type: 'strng' } } }, '/properties/a/type'],
    [7, ''],
    ['', ''],
    [[], ''],
    [null, ''],
  ])('%j is refused where it is wrong', (schema, pointer) => {
    const refused = refusal(schema);
    expect(refused?.code).toBe('schema-invalid');
    expect(refused?.pointers).toContain(pointer);
  });
});

describe('what real schemas get away with', () => {
  it.each<JsonObject>([
    { 'x-order': 1, unknownKeyword: { type: 'strng' } },
    { properties: { a: { format: 'color' } } },
    { default: 7, type: 'string', examples: [1] },
    { properties: { a: { $schema: 'http://json-schema.org/draft-04/schema#' } } },
    { definitions: { unused: { $ref: '#/definitions/missing' } } },
    { id: 'old-style', properties: { id: { type: 'string', id: 'x' } } },
    { nullable: true },
    { type: 'null', nullable: false },
    { $async: true, type: 'object' },
    { properties: { a: { $id: '#/properties/a' }, b: { $id: '#/properties/a' } } },
    { properties: { a: { $id: 'x.json' }, b: { $id: 'x.json' } } },
    { 'x-meta': { $id: 'http://example.com/%', $anchor: '!!' }, $anchor: 'not an anchor' },
    { enum: [{ $ref: 'https://example.com/' }, {}] },
    { default: { $ref: 'https://example.com/' } },
    { then: { type: 'string' }, additionalItems: false, minContains: 3 },
    { properties: { $ref: { type: 'string' }, $id: { type: 'string' } } },
    { $schema: D2020, dependencies: { a: ['b'], c: { type: 'object' } } },
  ])('%j is accepted', (schema) => {
    expect(accepts(schema, {})).toBe(schema['type'] !== 'string' && schema['type'] !== 'null');
  });

  it('takes keywords of no draft as annotations', () => {
    expect(accepts({ type: 'string', nullable: true }, null)).toBe(false);
    expect(accepts({ type: 'object', discriminator: { propertyName: 'kind' } }, {})).toBe(true);
  });
});

describe('references out of the schema', () => {
  it.each<[JsonObject, string]>([
    [{ $ref: 'https://example.com/a.json' }, '/$ref'],
    [{ properties: { a: { $ref: 'other.json#/a' } } }, '/properties/a/$ref'],
    [{ definitions: { unused: { $ref: 'file:///etc/passwd' } } }, '/definitions/unused/$ref'],
    [{ $schema: D2020, items: { $dynamicRef: 'other#node' } }, '/items/$dynamicRef'],
    [{ $schema: D2019, items: { $recursiveRef: 'other' } }, '/items/$recursiveRef'],
    [{ $ref: '#/x/y', x: { y: { $ref: 'http://a.b/' } } }, '/x/y/$ref'],
    [{ $id: 'urn:uuid:1', $ref: 'urn:uuid:2' }, '/$ref'],
    [{ $ref: 'http://json-schema.org/draft-04/schema#' }, '/$ref'],
    [{ properties: { a: { $ref: '#/definitions/missing' } } }, '/properties/a/$ref'],
    [{ $ref: '#missing' }, '/$ref'],
  ])('%j', (schema, pointer) => {
    expect(refusal(schema)).toEqual({ code: 'schema-reference', pointers: [pointer] });
  });
});

describe('references inside the schema', () => {
  it.each<[string, JsonObject]>([
    ['a pointer', { $ref: '#/definitions/a', definitions: { a: TEXT } }],
    ['an escaped pointer', { $ref: '#/$defs/a~1b%25', $defs: { 'a/b%': TEXT } }],
    [
      'a pointer into an unknown keyword',
      { $ref: '#/x-stuff/0/deep', 'x-stuff': [{ deep: TEXT }] },
    ],
    ['a pointer through an array', { $ref: '#/allOf/0', allOf: [TEXT] }],
    ['the own $id', { $id: 'https://a.b/s.json', $ref: 's.json#/$defs/a', $defs: { a: TEXT } }],
    ['the own urn', { $id: 'urn:x:y', $ref: 'urn:x:y#/$defs/a', $defs: { a: TEXT } }],
    ['an embedded $id', { $ref: 'b.json', $defs: { b: { $id: 'b.json', ...TEXT } } }],
    ['a draft-07 anchor', { $ref: '#foo', definitions: { a: { $id: '#foo', ...TEXT } } }],
    ['an $anchor', { $schema: D2019, $ref: '#foo', $defs: { a: { $anchor: 'foo', ...TEXT } } }],
    ['a chain', { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: TEXT } }],
    [
      'the base of an embedded $id',
      {
        $id: 'https://a.b/root',
        $ref: '#/definitions/a',
        definitions: {
          a: { $id: 'sub', allOf: [{ $ref: '#/definitions/b' }], definitions: { b: TEXT } },
          b: { type: 'number' },
        },
      },
    ],
    [
      'two references side by side',
      {
        $schema: D2020,
        $ref: '#/$defs/a',
        $dynamicRef: '#/$defs/b',
        $defs: { a: { minLength: 1 }, b: TEXT },
      },
    ],
  ])('%s', (_, schema) => {
    expect(accepts(schema, 'x')).toBe(true);
    expect(accepts(schema, 7)).toBe(false);
  });

  it('may lead to a boolean', () => {
    expect(accepts({ $ref: '#/$defs/no', $defs: { no: false } }, 1)).toBe(false);
    expect(accepts({ $ref: '#/$defs/yes', $defs: { yes: true } }, 1)).toBe(true);
  });

  it('may go round', () => {
    const tree = { properties: { children: { items: { $ref: '#' } } }, required: ['name'] };
    expect(accepts(tree, { name: 1, children: [{ name: 1, children: [] }] })).toBe(true);
    expect(accepts(tree, { name: 1, children: [{ children: [] }] })).toBe(false);
  });

  it('may lead to the meta-schema of the draft', () => {
    for (const $schema of ['http://json-schema.org/draft-07/schema#', D2019, D2020]) {
      const schema = { $schema, properties: { schema: { $ref: $schema } } };
      expect(accepts(schema, { schema: { properties: { a: { type: 'string' } } } })).toBe(true);
      expect(accepts(schema, { schema: { properties: { a: { type: 'strng' } } } })).toBe(false);
    }
  });
});

describe('dynamic references', () => {
  const list = {
    $id: 'list',
    type: 'array',
    items: { $dynamicRef: '#item' },
    $defs: { item: { $dynamicAnchor: 'item' } },
  };

  it('lead to the outermost $dynamicAnchor on the way', () => {
    const strings = {
      $schema: D2020,
      $id: 'https://a.b/strings',
      $ref: 'list',
      $defs: { item: { $dynamicAnchor: 'item', type: 'string' }, list },
    };
    expect(accepts(strings, ['a'])).toBe(true);
    expect(accepts(strings, [1])).toBe(false);
    expect(accepts({ $schema: D2020, $ref: 'list', $defs: { list } }, [1])).toBe(true);
  });

  it('are as many schemas as there are ways to come', () => {
    const both = {
      $schema: D2020,
      $id: 'https://a.b/both',
      properties: { strings: { $ref: 'strings' }, numbers: { $ref: 'numbers' } },
      $defs: {
        list,
        strings: {
          $id: 'strings',
          $ref: 'list',
          $defs: { item: { $dynamicAnchor: 'item', type: 'string' } },
        },
        numbers: {
          $id: 'numbers',
          $ref: 'list',
          $defs: { item: { $dynamicAnchor: 'item', type: 'number' } },
        },
      },
    };
    expect(accepts(both, { strings: ['a'], numbers: [1] })).toBe(true);
    expect(accepts(both, { strings: [1] })).toBe(false);
    expect(accepts(both, { numbers: ['a'] })).toBe(false);
  });

  it('of 2019-09 lead to the outermost $recursiveAnchor', () => {
    const tree = {
      $id: 'tree',
      $recursiveAnchor: true,
      properties: { children: { items: { $recursiveRef: '#' } } },
    };
    const strict = {
      $schema: D2019,
      $id: 'https://a.b/strict',
      $recursiveAnchor: true,
      $ref: 'tree',
      required: ['name'],
      $defs: { tree },
    };
    expect(accepts(strict, { name: 1, children: [{ name: 2 }] })).toBe(true);
    expect(accepts(strict, { name: 1, children: [{}] })).toBe(false);
    const lax = { ...strict, $recursiveAnchor: false };
    expect(accepts(lax, { name: 1, children: [{}] })).toBe(true);
  });
});

describe('what ajv alone gets wrong', () => {
  it.each<[string, JsonObject, JsonValue, boolean]>([
    [
      'an empty array after another',
      { additionalProperties: { contains: TEXT } },
      { a: ['x'], b: [] },
      false,
    ],
    ['a list longer than the array', { items: [TEXT], contains: false }, [], false],
    ['a list and equal items', { items: [{}, {}, TEXT], uniqueItems: true }, [1, 1], false],
    ['a missing property ""', { required: [''] }, {}, false],
    ['cents', { multipleOf: 0.01 }, 19.99, true],
    ['equal values with odd keys', { enum: [{ valueOf: 1 }] }, { valueOf: 1 }, true],
    ['if alone', { if: { properties: { a: true } }, ...TIGHT }, { a: 1 }, true],
    ['if that fails', { if: { properties: { a: TEXT } }, else: true, ...TIGHT }, { a: 1 }, false],
    [
      'a failed alternative',
      { anyOf: [{ patternProperties: { a: TEXT } }, true], ...TIGHT },
      { a: 1 },
      false,
    ],
    [
      'a failed alternative beside',
      { patternProperties: { a: TEXT }, anyOf: [{ additionalProperties: TEXT }, false], ...TIGHT },
      { a: 1 },
      false,
    ],
    [
      'the item before',
      { items: { anyOf: [{ required: ['a'], properties: { a: true } }, true], ...TIGHT } },
      [{ a: 1 }, { b: 1 }],
      false,
    ],
    [
      'a property named constructor',
      { anyOf: [{ patternProperties: { '^x': true } }], ...TIGHT },
      { constructor: 1 },
      false,
    ],
    [
      'items left over',
      { anyOf: [{ prefixItems: [true, TEXT] }, { prefixItems: [true] }], unevaluatedItems: false },
      [1, 2],
      false,
    ],
    [
      'no items left over',
      { anyOf: [{ prefixItems: [true, TEXT] }, { prefixItems: [true] }], unevaluatedItems: false },
      [1, 'a'],
      true,
    ],
  ])('%s', (_, schema, document, expected) => {
    const $schema = Array.isArray(schema['items']) ? D2019 : D2020;
    expect(accepts({ $schema, ...schema }, document)).toBe(expected);
  });
});

describe('a wide schema', () => {
  const many = Array.from({ length: 5_000 }, (_, at) => at);
  const named = (name: (at: number) => string) =>
    Object.fromEntries(many.map((at) => [name(at), { const: at }]));

  it.each<[string, JsonObject, JsonObject, JsonObject]>([
    ['properties', { properties: named((at) => `p${at}`) }, { p4999: 4999 }, { p4999: 0 }],
    [
      'patternProperties',
      { patternProperties: named((at) => `^p${at}$`) },
      { p70: 70 },
      { p70: 0 },
    ],
    ['anyOf', { anyOf: many.map((at) => ({ required: [`p${at}`] })) }, { p4999: 1 }, { q: 1 }],
    ['allOf', { allOf: many.map((at) => ({ not: { required: [`p${at}`] } })) }, {}, { p4999: 1 }],
    [
      'dependentSchemas',
      {
        $schema: D2020,
        dependentSchemas: Object.fromEntries(many.map((at) => [`p${at}`, { required: ['q'] }])),
      },
      { p4999: 1, q: 1 },
      { p4999: 1 },
    ],
    [
      'dependencies',
      { dependencies: Object.fromEntries(many.map((at) => [`p${at}`, [`q${at}`]])) },
      { p4999: 1, q4999: 1 },
      { p4999: 1 },
    ],
    [
      'additionalProperties',
      { properties: named((at) => `p${at}`), additionalProperties: false },
      { p1: 1 },
      { q: 1 },
    ],
  ])('%s is compiled in pieces', (_, schema, good, bad) => {
    const plan = analyseSchema(schema);
    if (!plan.ok) throw new Error(plan.problem.detail);
    for (const def of plan.value.closed.schema.$defs) {
      for (const value of Object.values(def) as unknown[]) {
        if (typeof value !== 'object' || value === null) continue;
        const compiled = Object.values(value).filter((inside) => inside !== true);
        expect(compiled.length).toBeLessThanOrEqual(64);
      }
    }
    expect(accepts(schema, good)).toBe(true);
    expect(accepts(schema, bad)).toBe(false);
  });
});

describe('a schema that multiplies itself', () => {
  it('is refused before it is compiled', () => {
    const $defs: Record<string, JsonValue> = {};
    let nested: JsonObject = { type: 'string' };
    for (let level = 0; level < 50; level += 1) {
      const wide: Record<string, JsonValue> = { next: nested };
      for (let index = 0; index < 200; index += 1) wide[`p${index}`] = { type: 'string' };
      nested = { properties: wide };
    }
    for (let level = 0; level < 50; level += 1) {
      $defs[`d${level}`] = { $ref: `#/x${'/properties/next'.repeat(level)}` };
    }
    const schema = { x: nested, allOf: Object.values($defs) };
    expect(refusal(schema)?.code).toBe('too-large');
  });
});
