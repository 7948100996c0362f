import { isJsonObject, type JsonObject, type JsonValue } from '@pawl/contracts';
import { joinPointer } from '@pawl/contracts';

import type { Draft } from './draft.js';

/** What a keyword's value is made of. Keywords that are not listed are annotations. */
export type KeywordShape =
  'value' | 'schema' | 'schemas' | 'schema-or-schemas' | 'map' | 'dependencies' | 'reference';

const VALUES = [
  'type',
  'enum',
  'const',
  'multipleOf',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'format',
  'maxItems',
  'minItems',
  'uniqueItems',
  'maxProperties',
  'minProperties',
  'required',
];
const SCHEMAS = ['additionalProperties', 'contains', 'else', 'if', 'not', 'propertyNames', 'then'];

const COMMON: readonly (readonly [string, KeywordShape])[] = [
  ['$ref', 'reference'],
  ...VALUES.map((name) => [name, 'value'] as const),
  ...SCHEMAS.map((name) => [name, 'schema'] as const),
  ['allOf', 'schemas'],
  ['anyOf', 'schemas'],
  ['oneOf', 'schemas'],
  ['properties', 'map'],
  ['patternProperties', 'map'],
  ['dependencies', 'dependencies'],
];

const ARRAY_ITEMS: readonly (readonly [string, KeywordShape])[] = [
  ['items', 'schema-or-schemas'],
  ['additionalItems', 'schema'],
];

const SINCE_2019: readonly (readonly [string, KeywordShape])[] = [
  ['unevaluatedItems', 'schema'],
  ['unevaluatedProperties', 'schema'],
  ['dependentSchemas', 'map'],
  ['dependentRequired', 'value'],
  ['maxContains', 'value'],
  ['minContains', 'value'],
];

/** The keywords that each draft asserts. `dependencies` is asserted in all, as validators do. */
export const VOCABULARY: Readonly<Record<Draft, ReadonlyMap<string, KeywordShape>>> = {
  'draft-07': new Map([...COMMON, ...ARRAY_ITEMS]),
  '2019-09': new Map([...COMMON, ...ARRAY_ITEMS, ...SINCE_2019, ['$recursiveRef', 'reference']]),
  '2020-12': new Map<string, KeywordShape>([
    ...COMMON,
    ...SINCE_2019,
    ['items', 'schema'],
    ['prefixItems', 'schemas'],
    ['$dynamicRef', 'reference'],
  ]),
};

/** Where schemas are kept for references; in every draft, whatever it calls them. */
const DEFINITIONS = ['$defs', 'definitions'];

/** A schema in its place: `pointer` leads there from the schema document's root. */
export interface Subschema {
  readonly schema: JsonValue;
  readonly pointer: string;
}

/** The schemas directly inside `schema`, definitions included. */
export function* subschemasOf(
  schema: JsonObject,
  pointer: string,
  draft: Draft,
): Generator<Subschema> {
  const vocabulary = VOCABULARY[draft];
  for (const keyword of Object.keys(schema)) {
    const shape = DEFINITIONS.includes(keyword) ? 'map' : vocabulary.get(keyword);
    if (shape === undefined || shape === 'value' || shape === 'reference') continue;
    const value = schema[keyword] as JsonValue;
    const at = joinPointer(pointer, keyword);
    if (shape === 'map' || shape === 'dependencies') {
      if (isJsonObject(value)) yield* childrenOf(value, at);
    } else if (Array.isArray(value)) {
      yield* (value as readonly JsonValue[]).map((child, index) => ({
        schema: child,
        pointer: joinPointer(at, index),
      }));
    } else {
      yield { schema: value, pointer: at };
    }
  }
}

function* childrenOf(map: JsonObject, pointer: string): Generator<Subschema> {
  for (const key of Object.keys(map)) {
    yield { schema: map[key] as JsonValue, pointer: joinPointer(pointer, key) };
  }
}
