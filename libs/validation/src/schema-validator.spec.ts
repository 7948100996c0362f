import type { JsonArray, JsonObject, JsonValue, Outcome } from '@pawl/contracts';
import type { SchemaRef } from '@pawl/domain';
import type { SchemaValidator, ValidationOutcome } from '@pawl/engine';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { createSchemaValidator, type SchemaValidatorOptions } from './schema-validator.js';
import { buildWorker } from './testing/build-worker.js';
import { documentRef, schemaRef } from './testing/refs.js';
import { turnsDuring } from './testing/responsiveness.js';

const open: SchemaValidator[] = [];
const MANY_TURNS = 20;

function validator(options: SchemaValidatorOptions = {}): SchemaValidator {
  const created = createSchemaValidator({ workers: 1, ...options });
  open.push(created);
  return created;
}

beforeAll(buildWorker, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

function check(
  using: SchemaValidator,
  schema: JsonValue,
  document: JsonObject,
): Promise<ValidationOutcome> {
  return using.validate(schemaRef(schema), documentRef(document));
}

function codeOf(outcome: Outcome<void>): string | undefined {
  return outcome.ok ? undefined : outcome.problem.code;
}

/** Where something runs must not be told by what it answers. */
const PLACES: readonly [string, SchemaValidatorOptions][] = [
  ['on the event loop', {}],
  ['in a worker', { localSchemaCharacters: 0 }],
];

describe.each(PLACES)('%s', (_, options) => {
  it('accepts and refuses, naming every place', async () => {
    const using = validator(options);
    const schema = {
      type: 'object',
      required: ['name'],
      additionalProperties: false,
      properties: {
        name: { type: 'string', pattern: '^[a-z]+$' },
        level: { enum: ['debug', 'info'] },
        port: { type: 'integer', maximum: 65535 },
        tags: { uniqueItems: true, items: { type: ['string', 'null'] } },
        rate: { multipleOf: 0.01 },
        'a/b': { const: { x: 1 } },
      },
    };
    expect(await using.prepare(schemaRef(schema))).toEqual({ ok: true, value: undefined });
    const good = { name: 'a', level: 'info', tags: ['a', null], rate: 19.99, 'a/b': { x: 1 } };
    expect(await check(using, schema, good)).toEqual({ kind: 'valid' });
    const bad = {
      level: 'trace',
      port: 70000,
      tags: ['a', 1, 'a'],
      rate: 0.001,
      'a/b': 1,
      'x~y': true,
    };
    const outcome = await check(using, schema, bad);
    if (outcome.kind !== 'invalid') throw new Error(outcome.kind);
    const violations = outcome.violations.map(({ pointer, keyword, message }) => [
      pointer,
      keyword,
      message,
    ]);
    const expected = [
      ['', 'required', 'must have the property "name"'],
      ['/x~0y', 'additionalProperties', 'the property "x~y" is not allowed'],
      ['/level', 'enum', 'must be one of "debug", "info"'],
      ['/port', 'maximum', 'must be at most 65535'],
      ['/tags/1', 'type', 'must be string or null'],
      ['/tags', 'uniqueItems', 'items 0 and 2 are equal'],
      ['/rate', 'multipleOf', 'must be a multiple of 0.01'],
      ['/a~1b', 'const', 'must be {"x":1}'],
    ];
    expect(violations.sort()).toEqual(expected.sort());
    expect(await check(using, schema, { name: 'A1' })).toEqual({
      kind: 'invalid',
      violations: [
        { pointer: '/name', keyword: 'pattern', message: 'must match the pattern ^[a-z]+$' },
      ],
    });
  });

  it('takes keys named like methods for what they are', async () => {
    const using = validator(options);
    const keys = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', ''];
    const tight = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      anyOf: [{ patternProperties: { '^x': true } }, { required: ['x'] }],
      unevaluatedProperties: false,
    };
    for (const key of keys) {
      const needs = { required: [key], properties: { [key]: { type: 'number' } } };
      expect(await check(using, needs, {})).toMatchObject({ kind: 'invalid' });
      expect(await check(using, needs, { [key]: 'a' })).toMatchObject({ kind: 'invalid' });
      expect(await check(using, needs, { [key]: 1 })).toEqual({ kind: 'valid' });
      expect(await check(using, { additionalProperties: false }, { [key]: 1 })).toMatchObject({
        kind: 'invalid',
      });
      expect(await check(using, tight, { [key]: 1 }), key).toMatchObject({ kind: 'invalid' });
      const same = { properties: { a: { enum: [{ [key]: { x: 1 } }] }, b: { uniqueItems: true } } };
      const list = [{ [key]: { x: 1 } }, { [key]: { x: 2 } }];
      const document = { a: { [key]: { x: 1 } }, b: list };
      expect(await check(using, same, document)).toEqual({ kind: 'valid' });
    }
  });

  it('lists at most 100 violations', async () => {
    const using = validator(options);
    const schema = { properties: { list: { items: { type: 'string' } } } };
    const outcome = await check(using, schema, { list: Array.from({ length: 300 }, () => 1) });
    if (outcome.kind !== 'invalid') throw new Error(outcome.kind);
    expect(outcome.violations).toHaveLength(100);
    expect(outcome.violations[99]?.pointer).toBe('/list/99');
    const more = { list: Array.from({ length: 20_000 }, () => 1) };
    expect(await check(using, schema, more)).toMatchObject({ kind: 'invalid' });
  });

  it('keeps the $id of one schema from another', async () => {
    const using = validator(options);
    const $id = 'https://example.com/same';
    const strings = {
      $id,
      properties: { a: { $ref: '#/$defs/x' } },
      $defs: { x: { type: 'string' } },
    };
    const numbers = {
      $id,
      properties: { a: { $ref: '#/$defs/x' } },
      $defs: { x: { type: 'number' } },
    };
    const stranger = { properties: { a: { $ref: $id } } };
    expect(await check(using, strings, { a: 'x' })).toEqual({ kind: 'valid' });
    expect(await check(using, numbers, { a: 1 })).toEqual({ kind: 'valid' });
    expect(await check(using, strings, { a: 1 })).toMatchObject({ kind: 'invalid' });
    expect(codeOf(await using.prepare(schemaRef(stranger)))).toBe('schema-reference');
  });

  it('says why a schema cannot be used', async () => {
    const using = validator(options);
    const nested = (levels: number): JsonValue =>
      JSON.parse('{"not":'.repeat(levels) + '{}' + '}'.repeat(levels)) as JsonValue;
    const cases: [JsonValue, string | undefined][] = [
      [nested(63), undefined],
      [nested(64), 'too-deep'],
      [nested(5_000), 'too-deep'],
      [{ description: 'é'.repeat(512 * 1024) }, 'too-large'],
      [{ description: 'e'.repeat(1024 * 1024 - 18) }, undefined],
      [{ type: 'strng' }, 'schema-invalid'],
      [{ pattern: '(' }, 'schema-invalid'],
      [{ $schema: 'https://example.com/' }, 'schema-draft'],
      [{ $ref: 'https://example.com/' }, 'schema-reference'],
    ];
    for (const [schema, code] of cases) {
      const outcome = await using.prepare({
        hash: `${cases.indexOf([schema, code])}${code}`,
        schema,
      });
      expect(codeOf(outcome)).toBe(code);
    }
    await expect(check(using, { type: 'strng' }, {})).rejects.toThrow('cannot be used');
  });
});

describe('what could stall the process', () => {
  const evil = `${'a'.repeat(40)}b`;

  it('is no pattern in the language of RE2', async () => {
    const using = validator({ workers: 0 });
    const schema = { properties: { a: { pattern: '^(a+)+$' } } };
    expect(await check(using, schema, { a: evil })).toMatchObject({ kind: 'invalid' });
    expect(await check(using, schema, { a: 'aaa' })).toEqual({ kind: 'valid' });
  });

  it('is no look-around: it is cut off, and what comes after runs', async () => {
    const using = validator({ validateDeadlineMs: 300 });
    const schema = { properties: { a: { pattern: '^(?=(a+)+$)a' } } };
    expect(await check(using, schema, { a: 'aaa' })).toEqual({ kind: 'valid' });
    const cut = turnsDuring(check(using, schema, { a: evil }));
    const after = check(using, schema, { a: 'b' });
    const { turns, result } = await cut;
    expect(result).toMatchObject({ kind: 'timeout', reason: 'deadline' });
    expect(result.kind === 'timeout' && result.afterMs).toBeGreaterThanOrEqual(290);
    expect(turns).toBeGreaterThan(MANY_TURNS);
    expect(await after).toMatchObject({ kind: 'invalid' });
  });

  it('is no pattern that RE2 turns out to refuse', async () => {
    const using = validator({ validateDeadlineMs: 300 });
    const schema = { properties: { a: { pattern: '(?:x{40}){26}|^(a+)+$' } } };
    expect(await check(using, schema, { a: 'aaa' })).toEqual({ kind: 'valid' });
    const { turns, result } = await turnsDuring(check(using, schema, { a: evil }));
    expect(result.kind).toBe('timeout');
    expect(turns).toBeGreaterThan(MANY_TURNS);
  });

  it('is no uniqueItems over objects', async () => {
    const using = validator({ validateDeadlineMs: 10_000 });
    const schema = { properties: { list: { uniqueItems: true } } };
    const list: JsonArray = Array.from({ length: 20_000 }, (_, id) => ({ id, more: { a: 'b' } }));
    expect(await check(using, schema, { list })).toEqual({ kind: 'valid' });
    const twice = [...list, { more: { a: 'b' }, id: 7 }];
    expect(await check(using, schema, { list: twice })).toEqual({
      kind: 'invalid',
      violations: [
        { pointer: '/list', keyword: 'uniqueItems', message: 'items 7 and 20000 are equal' },
      ],
    });
  });

  it('is no recursion through anyOf', async () => {
    const using = validator({ validateDeadlineMs: 500 });
    const branch = (z: number): JsonObject => ({
      properties: { child: { $ref: '#/$defs/node' }, z: { const: z } },
    });
    const schema = { $ref: '#/$defs/node', $defs: { node: { anyOf: [branch(1), branch(2)] } } };
    let document: JsonObject = { z: 3 };
    for (let depth = 0; depth < 40; depth += 1) document = { child: document, z: 3 };
    const { turns, result } = await turnsDuring(check(using, schema, document));
    expect(result.kind).toBe('timeout');
    expect(turns).toBeGreaterThan(MANY_TURNS);
    expect(await check(using, schema, { child: { child: { z: 1 } } })).toEqual({ kind: 'valid' });
  });

  it('is no reference that doubles thirty times', async () => {
    const using = validator({ validateDeadlineMs: 500 });
    const $defs: Record<string, JsonValue> = { d30: { type: 'object' } };
    for (let level = 0; level < 30; level += 1) {
      const next = { $ref: `#/$defs/d${level + 1}` };
      $defs[`d${level}`] = { allOf: [next, next] };
    }
    const { turns, result } = await turnsDuring(check(using, { $ref: '#/$defs/d0', $defs }, {}));
    expect(result.kind).toBe('timeout');
    expect(turns).toBeGreaterThan(MANY_TURNS);
  });

  it('is no schema that is long to compile', async () => {
    const using = validator({ compileDeadlineMs: 400 });
    const patternProperties: Record<string, JsonValue> = {};
    for (let index = 0; index < 1_000; index += 1) {
      patternProperties[`^[a-z]{900}${index}$`] = { type: 'string' };
    }
    const { turns, result } = await turnsDuring(using.prepare(schemaRef({ patternProperties })));
    expect(codeOf(result)).toBe('validation-timeout');
    expect(turns).toBeGreaterThan(MANY_TURNS);
  });

  it('is no schema that applies itself for ever', async () => {
    const using = validator();
    const endless = [{ $ref: '#' }, { anyOf: [{ type: 'string' }, { $ref: '#' }] }];
    for (const schema of endless) {
      const outcome = await check(using, schema, {});
      if (outcome.kind !== 'invalid') throw new Error(outcome.kind);
      expect(outcome.violations[0]?.message).toMatch('refers to itself without end');
    }
  });

  it('is no chain of references', async () => {
    const using = validator();
    const chain = (length: number): JsonObject => {
      const $defs: Record<string, JsonValue> = { [`d${length}`]: { type: 'object' } };
      for (let at = 0; at < length; at += 1) $defs[`d${at}`] = { $ref: `#/$defs/d${at + 1}` };
      return { $ref: '#/$defs/d0', $defs };
    };
    expect(await check(using, chain(200), {})).toEqual({ kind: 'valid' });
    expect(codeOf(await using.prepare(schemaRef(chain(20_000))))).toBe('schema-invalid');
  });

  it('is no document with errors everywhere', async () => {
    const using = validator({ validateDeadlineMs: 10_000 });
    const items = { allOf: Array.from({ length: 50 }, () => ({ type: 'string' })) };
    const schema = { properties: { list: { items } } };
    const list = Array.from({ length: 10_000 }, () => ({}));
    const { result } = await turnsDuring(check(using, schema, { list }));
    expect(result).toMatchObject({ kind: 'invalid', violations: [{ pointer: '/list/0' }] });
  });

  it('is no memory: what needs too much is cut off, alone', async () => {
    const using = validator({ workerMemoryMb: 12, compileDeadlineMs: 60_000 });
    const properties: Record<string, JsonValue> = {};
    for (let index = 0; index < 16_000; index += 1) {
      properties[`p${index}`] = { type: 'string', minLength: 1, maxLength: 9 };
    }
    const small = { pattern: '^(?=a)' };
    expect(codeOf(await using.prepare(schemaRef(small)))).toBeUndefined();
    const outcome = await using.prepare(schemaRef({ properties }));
    expect(outcome).toMatchObject({ ok: false, problem: { code: 'validation-timeout' } });
    expect(outcome.ok ? '' : outcome.problem.detail).toMatch('12 MiB');
    expect(codeOf(await using.prepare(schemaRef(small)))).toBeUndefined();
    /* A busy machine takes long to fill that memory. */
  }, 120_000);
});

describe('a large schema', () => {
  const many = Array.from({ length: 70_000 }, (_, at) => `value-${at}`);
  const some = many.slice(0, 4_000);

  it.each<[string, JsonObject]>([
    ['enum of draft-07', { enum: many }],
    ['required of 2020-12', { required: many.slice(0, 20_000) }],
    ['oneOf', { oneOf: some.map((value) => ({ const: value, description: 'one of many' })) }],
  ])('may have a long %s', async (name, keywords) => {
    const using = validator();
    const $schema = name.includes('2020')
      ? 'https://json-schema.org/draft/2020-12/schema'
      : 'http://json-schema.org/draft-07/schema#';
    const schema = { $schema, properties: { a: keywords } };
    expect(codeOf(await using.prepare(schemaRef(schema)))).toBeUndefined();
  });
});

describe('small schemas and documents', () => {
  it('never wait for a worker', async () => {
    const using = validator({ workers: 0 });
    const schema = { properties: { a: { $ref: '#' }, b: { pattern: '^[a-z]{1,63}$' } } };
    expect(codeOf(await using.prepare(schemaRef(schema)))).toBeUndefined();
    expect(await check(using, schema, { a: { a: { b: 'x' } } })).toEqual({ kind: 'valid' });
    expect(await check(using, schema, { a: { b: 'X' } })).toMatchObject({ kind: 'invalid' });
  });
});

describe('schemas', () => {
  it.each(PLACES)('%s are compiled once, also when many ask at once', async (_, options) => {
    const using = validator({ ...options, cachedSchemas: 2 });
    let reads = 0;
    const counted = (hash: string): SchemaRef => ({
      hash,
      schema: new Proxy(
        { type: 'object', maxProperties: 1 },
        {
          ownKeys: (target) => {
            reads += 1;
            return Reflect.ownKeys(target);
          },
        },
      ),
    });
    await using.prepare(counted('alone'));
    const readsOfOne = reads;
    const ref = counted('shared');
    await Promise.all([using.prepare(ref), using.prepare(ref), using.prepare(ref)]);
    await using.prepare(ref);
    expect(await using.validate(ref, documentRef({ a: 1 }))).toEqual({ kind: 'valid' });
    expect(reads).toBe(2 * readsOfOne);
    await using.prepare(schemaRef({ minProperties: 1 }));
    await using.prepare(schemaRef({ minProperties: 2 }));
    const outcome = await using.validate(ref, documentRef({ a: 1, b: 2 }));
    expect(outcome).toMatchObject({ kind: 'invalid' });
    expect(reads).toBe(3 * readsOfOne);
  });
});

describe('close', () => {
  it('rejects what runs, waits and comes later, and can be repeated', async () => {
    const using = validator({ validateDeadlineMs: 60_000 });
    const schema = { properties: { a: { pattern: '^(?=(a+)+$)a' } } };
    await using.prepare(schemaRef(schema));
    const running = check(using, schema, { a: `${'a'.repeat(60)}b` });
    const waiting = check(using, schema, { a: 'a' });
    const both = Promise.allSettled([running, waiting]);
    await using.close();
    for (const settled of await both) {
      expect(settled).toMatchObject({ reason: { name: 'ValidatorClosedError' } });
    }
    await expect(using.prepare(schemaRef({}))).rejects.toThrow('closed');
    await expect(check(using, schema, {})).rejects.toThrow('closed');
    await using.close();
  });
});
