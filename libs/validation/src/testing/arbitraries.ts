import type { JsonObject, JsonValue } from '@pawl/contracts';
import fc from 'fast-check';

const D2020 = 'https://json-schema.org/draft/2020-12/schema';

const scalar = fc.constantFrom<JsonValue>(null, true, 0, 1, 2.5, -3, '', 'a', 'bb', 'ccc');
const types = fc.constantFrom('object', 'array', 'string', 'number', 'integer', 'null', 'boolean');
const size = fc.integer({ min: 0, max: 3 });
const pattern = fc.constantFrom('^a', 'b$', '^(a|b)*$', '[^a]');

/** Small documents whose properties are among `keys`. */
export function documents(keys: readonly string[]): fc.Arbitrary<JsonObject> {
  return fc.letrec<{ value: JsonValue; document: JsonObject }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      scalar,
      fc.array(tie('value'), { maxLength: 4 }),
      tie('document'),
    ),
    document: fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 4 }),
  })).document;
}

/** Small schemas of draft 2020-12 about properties among `keys`, with references back and forth. */
export function schemas(keys: readonly string[]): fc.Arbitrary<JsonObject> {
  const { schema } = fc.letrec<{ schema: JsonValue }>((tie) => {
    const keywords = { ...assertions(keys), ...applicators(keys, tie('schema')) };
    const single = Object.entries(keywords).map(([name, value]) =>
      value.map((chosen): JsonObject => ({ [name]: chosen })),
    );
    const object = fc
      .array(fc.oneof(...single), { minLength: 1, maxLength: 4 })
      .map((parts): JsonObject => Object.assign({}, ...parts) as JsonObject);
    const schemaOrBoolean = fc.oneof(
      { maxDepth: 4 },
      { weight: 1, arbitrary: fc.boolean() },
      { weight: 6, arbitrary: object },
    );
    return { schema: schemaOrBoolean };
  });
  return fc
    .tuple(schema, schema, schema)
    .map(([root, x, y]): JsonObject => ({ $schema: D2020, $defs: { x, y }, allOf: [root] }));
}

type Keywords = Record<string, fc.Arbitrary<JsonValue>>;

function assertions(keys: readonly string[]): Keywords {
  return {
    type: fc.oneof(types, fc.uniqueArray(types, { minLength: 1, maxLength: 3 })),
    enum: fc.uniqueArray(scalar, { minLength: 1, maxLength: 4 }),
    minimum: size,
    multipleOf: fc.constantFrom(1, 0.5),
    maxLength: size,
    pattern,
    uniqueItems: fc.boolean(),
    minItems: size,
    maxProperties: size,
    required: fc.uniqueArray(fc.constantFrom(...keys), { maxLength: 2 }),
    propertyNames: size.map((maxLength) => ({ maxLength })),
    $ref: fc.constantFrom('#/$defs/x', '#/$defs/y'),
  };
}

function applicators(keys: readonly string[], schema: fc.Arbitrary<JsonValue>): Keywords {
  const map = fc.dictionary(fc.constantFrom(...keys), schema, { maxKeys: 3 });
  const some = fc.array(schema, { minLength: 1, maxLength: 2 });
  return {
    properties: map,
    patternProperties: fc.dictionary(pattern, schema, { maxKeys: 2 }),
    additionalProperties: schema,
    unevaluatedProperties: schema,
    items: schema,
    prefixItems: some,
    contains: schema,
    dependentSchemas: map,
    allOf: some,
    anyOf: some,
    oneOf: some,
    not: schema,
    if: schema,
    then: schema,
    else: schema,
  };
}
