import { canonicalize, isJsonObject, type JsonObject, type JsonValue } from '@pawl/contracts';

/** What a value's evaluation says: its verdict and the properties that were evaluated. */
interface Evaluation {
  readonly valid: boolean;
  readonly properties: ReadonlySet<string>;
}

/**
 * The keywords that `schemas()` of the arbitraries uses, as JSON Schema 2020-12 words them, with no
 * regard to time. Throws RangeError for endless recursion.
 */
export function plainlyValid(root: JsonObject, value: JsonValue): boolean {
  return new PlainValidator(root).evaluate(root, value).valid;
}

class PlainValidator {
  constructor(private readonly root: JsonObject) {}

  evaluate(schema: JsonValue, value: JsonValue): Evaluation {
    if (!isJsonObject(schema)) return { valid: schema === true, properties: new Set() };
    const inPlace = this.#inPlace(schema, value);
    const own = isJsonObject(value) ? this.#properties(schema, value) : NOTHING;
    const properties = new Set([...inPlace.properties, ...own.properties]);
    let valid =
      inPlace.valid && own.valid && assertions(schema, value) && this.#items(schema, value);
    const rest = schema['unevaluatedProperties'];
    if (rest !== undefined && isJsonObject(value)) {
      for (const key of Object.keys(value)) {
        if (properties.has(key)) continue;
        properties.add(key);
        valid = this.#valid(rest, value[key] as JsonValue) && valid;
      }
    }
    return { valid, properties };
  }

  #valid(schema: JsonValue, value: JsonValue): boolean {
    return this.evaluate(schema, value).valid;
  }

  #inPlace(schema: JsonObject, value: JsonValue): Evaluation {
    const all = (key: string): Evaluation[] =>
      ((schema[key] ?? []) as JsonValue[]).map((each) => this.evaluate(each, value));
    const passing = (evaluations: Evaluation[]): Evaluation[] =>
      evaluations.filter((evaluation) => evaluation.valid);
    const must = [...all('allOf'), ...this.#conditional(schema, value)];
    if (schema['$ref'] !== undefined) {
      const name = (schema['$ref'] as string).slice('#/$defs/'.length);
      must.push(this.evaluate((this.root['$defs'] as JsonObject)[name] as JsonValue, value));
    }
    for (const [key, dependent] of Object.entries(schema['dependentSchemas'] ?? {})) {
      const present = isJsonObject(value) && Object.hasOwn(value, key);
      if (present) must.push(this.evaluate(dependent as JsonValue, value));
    }
    const any = passing(all('anyOf'));
    const one = passing(all('oneOf'));
    const allowed = schema['not'] === undefined || !this.#valid(schema['not'], value);
    const valid =
      allowed &&
      must.every((evaluation) => evaluation.valid) &&
      (schema['anyOf'] === undefined || any.length > 0) &&
      (schema['oneOf'] === undefined || one.length === 1);
    const condition = schema['if'] === undefined ? [] : [this.evaluate(schema['if'], value)];
    const counted = passing([...must, ...any, ...one, ...condition]);
    return { valid, properties: new Set(counted.flatMap((each) => [...each.properties])) };
  }

  #conditional(schema: JsonObject, value: JsonValue): Evaluation[] {
    if (schema['if'] === undefined) return [];
    const branch = schema[this.#valid(schema['if'], value) ? 'then' : 'else'];
    return branch === undefined ? [] : [this.evaluate(branch, value)];
  }

  #properties(schema: JsonObject, value: JsonObject): Evaluation {
    const evaluated = new Set<string>();
    let valid = true;
    const named = (schema['properties'] ?? {}) as JsonObject;
    const matching = Object.entries((schema['patternProperties'] ?? {}) as JsonObject);
    for (const key of Object.keys(value)) {
      const applied = matching.filter(([pattern]) => new RegExp(pattern, 'u').test(key));
      const schemas = applied.map(([, inside]) => inside);
      if (Object.hasOwn(named, key)) schemas.push(named[key] as JsonValue);
      const rest = schema['additionalProperties'];
      if (schemas.length === 0 && rest !== undefined) schemas.push(rest);
      if (schemas.length > 0) evaluated.add(key);
      valid = schemas.every((each) => this.#valid(each, value[key] as JsonValue)) && valid;
      const names = schema['propertyNames'];
      valid = (names === undefined || this.#valid(names, key)) && valid;
    }
    return { valid, properties: evaluated };
  }

  #items(schema: JsonObject, value: JsonValue): boolean {
    if (!Array.isArray(value)) return true;
    const prefix = (schema['prefixItems'] ?? []) as JsonValue[];
    const { items, contains } = schema;
    const each = (value as JsonValue[]).every((item, index) =>
      this.#valid(prefix[index] ?? items ?? true, item),
    );
    const some =
      contains === undefined || (value as JsonValue[]).some((item) => this.#valid(contains, item));
    return each && some;
  }
}

const NOTHING: Evaluation = { valid: true, properties: new Set() };

function assertions(schema: JsonObject, value: JsonValue): boolean {
  const limit = (key: string): number | undefined => schema[key] as number | undefined;
  if (schema['type'] !== undefined && ![schema['type']].flat().some((type) => is(value, type))) {
    return false;
  }
  const allowed = schema['enum'] as JsonValue[] | undefined;
  if (allowed?.some((each) => canonicalize(each) === canonicalize(value)) === false) return false;
  if (typeof value === 'number') {
    const unit = limit('multipleOf');
    return value >= (limit('minimum') ?? -Infinity) && (unit === undefined || value % unit === 0);
  }
  if (typeof value === 'string') {
    const pattern = schema['pattern'] as string | undefined;
    const matches = pattern === undefined || new RegExp(pattern, 'u').test(value);
    return value.length <= (limit('maxLength') ?? Infinity) && matches;
  }
  if (Array.isArray(value)) {
    const different = new Set((value as JsonValue[]).map(canonicalize)).size;
    const unique = schema['uniqueItems'] !== true || different === value.length;
    return value.length >= (limit('minItems') ?? 0) && unique;
  }
  if (!isJsonObject(value)) return true;
  const required = (schema['required'] ?? []) as string[];
  const count = Object.keys(value).length;
  return (
    count <= (limit('maxProperties') ?? Infinity) &&
    required.every((key) => Object.hasOwn(value, key))
  );
}

function is(value: JsonValue, type: JsonValue): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isJsonObject(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}
