import type { JsonObject, JsonValue } from '@pawl/contracts';
import fc from 'fast-check';

const BASE = 'https://example.com/';
const KEYS = ['a', 'b', 'c'];
const key = fc.constantFrom(...KEYS);

const leaf = fc.constantFrom<JsonValue>(
  true,
  false,
  { type: 'string' },
  { type: 'integer' },
  { type: ['array', 'string'] },
  { enum: ['a', 0] },
  { enum: [1, 'b', []] },
  { minimum: 1 },
  { required: ['a'] },
  { minItems: 2 },
  { uniqueItems: true },
);

/** Small values that the schemas of {@link evaluationSchemas} tell apart. */
export const evaluationValues: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    { weight: 2, arbitrary: fc.constantFrom<JsonValue>(null, true, 0, 1, 2, 'a', 'b') },
    { weight: 3, arbitrary: fc.array(tie('value'), { maxLength: 4 }) },
    {
      weight: 3,
      arbitrary: fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
    },
  ),
})).value;

/**
 * Small schemas of 2020-12 about what has been evaluated: some `unevaluated…` in the root above
 * whatever may evaluate something, through references as well. No reference leads back.
 */
export const evaluationSchemas: fc.Arbitrary<JsonObject> = fc
  .record({
    root: subschemas(['root#/$defs/x', 'y', 'z']),
    rest: fc.constantFrom<JsonObject>(
      { unevaluatedProperties: false },
      { unevaluatedItems: false },
      { unevaluatedItems: false, unevaluatedProperties: false },
      { unevaluatedItems: { type: 'string' }, unevaluatedProperties: { type: 'integer' } },
    ),
    x: subschemas(['y', 'z']),
    y: subschemas(['z']),
    z: subschemas([]),
    ny: subschemas(undefined),
    nz: subschemas(undefined),
  })
  .map(({ root, rest, x, y, z, ny, nz }) => ({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `${BASE}root`,
    ...asObject(root),
    ...rest,
    $defs: { x, y: resource('y', y, ny), z: resource('z', z, nz) },
  }));

function resource(name: string, schema: JsonValue, anchored: JsonValue): JsonObject {
  const n = { ...asObject(anchored), $dynamicAnchor: 'n' };
  return { ...asObject(schema), $id: BASE + name, $defs: { n } };
}

function asObject(schema: JsonValue): JsonObject {
  if (typeof schema === 'boolean') return schema ? {} : { not: {} };
  return schema as JsonObject;
}

/** With references to some of `targets`; `undefined`: with none at all, dynamic ones neither. */
function subschemas(targets: readonly string[] | undefined): fc.Arbitrary<JsonValue> {
  const { schema } = fc.letrec<{ schema: JsonValue }>((tie) => {
    const single = Object.entries(keywords(targets, tie('schema'))).map(([name, value]) =>
      value.map((chosen): JsonObject => ({ [name]: chosen })),
    );
    const contains = fc
      .record(
        { contains: tie('schema'), minContains: fc.nat(2), maxContains: fc.nat(2) },
        { requiredKeys: ['contains'] },
      )
      .map((chosen): JsonObject => chosen);
    const object = fc
      .array(fc.oneof(...single, contains), { minLength: 1, maxLength: 3 })
      .map((parts): JsonObject => Object.assign({}, ...parts) as JsonObject);
    const some = fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      { weight: 3, arbitrary: leaf },
      { weight: 4, arbitrary: object },
    );
    return { schema: some };
  });
  return schema;
}

function keywords(
  targets: readonly string[] | undefined,
  schema: fc.Arbitrary<JsonValue>,
): Record<string, fc.Arbitrary<JsonValue>> {
  const map = fc.dictionary(key, schema, { minKeys: 1, maxKeys: 2 });
  const some = fc.array(schema, { minLength: 1, maxLength: 3 });
  const references: Record<string, fc.Arbitrary<JsonValue>> = {};
  if (targets !== undefined) {
    references['$dynamicRef'] = fc.constantFrom(`${BASE}y#n`, `${BASE}z#n`);
    if (targets.length > 0) references['$ref'] = fc.constantFrom(...targets).map((to) => BASE + to);
  }
  return {
    ...references,
    properties: map,
    patternProperties: fc.dictionary(fc.constantFrom('^a', '[ab]'), schema, { maxKeys: 2 }),
    additionalProperties: schema,
    unevaluatedProperties: schema,
    items: schema,
    prefixItems: some,
    unevaluatedItems: schema,
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
