import { canonicalize, isJsonObject, type JsonObject, type JsonValue } from '@pawl/contracts';

/** What a value's evaluation says: its verdict, and the properties or items that were evaluated. */
interface Evaluation {
  readonly valid: boolean;
  readonly evaluated: ReadonlySet<string | number>;
}

/**
 * The keywords that the arbitraries use, as JSON Schema 2020-12 words them, with no regard to time.
 * A reference names one of the root's `$defs` by the last segment of its path; `$dynamicRef` means
 * the anchor `n` in `$defs` of the first of these that was entered and has one. Throws RangeError
 * for endless recursion.
 */
export function plainlyValid(root: JsonObject, value: JsonValue): boolean {
  return new PlainValidator(root).evaluate(root, value).valid;
}

class PlainValidator {
  /** Definitions with the dynamic anchor that have been entered and not left. */
  readonly #entered: JsonObject[] = [];

  constructor(private readonly root: JsonObject) {}

  evaluate(schema: JsonValue, value: JsonValue): Evaluation {
    if (!isJsonObject(schema)) return { valid: schema === true, evaluated: new Set() };
    const inPlace = this.#inPlace(schema, value);
    const own = this.#children(schema, value);
    const evaluated = new Set([...inPlace.evaluated, ...own.evaluated]);
    let valid = inPlace.valid && own.valid && assertions(schema, value);
    const rest = schema[Array.isArray(value) ? 'unevaluatedItems' : 'unevaluatedProperties'];
    if (rest !== undefined) {
      for (const [key, child] of childrenOf(value)) {
        if (evaluated.has(key)) continue;
        evaluated.add(key);
        valid = this.#valid(rest, child) && valid;
      }
    }
    return { valid, evaluated };
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
    must.push(...this.#referred(schema, value));
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
    return { valid, evaluated: new Set(counted.flatMap((each) => [...each.evaluated])) };
  }

  #referred(schema: JsonObject, value: JsonValue): Evaluation[] {
    const evaluations: Evaluation[] = [];
    const { $ref, $dynamicRef } = schema;
    if ($ref !== undefined) {
      const target = this.#named($ref);
      evaluations.push(this.#enter(target, () => this.evaluate(target, value)));
    }
    if ($dynamicRef !== undefined) {
      const outermost = this.#entered[0] ?? (this.#named($dynamicRef) as JsonObject);
      const target = (outermost['$defs'] as JsonObject)['n'] as JsonValue;
      evaluations.push(this.#enter(outermost, () => this.evaluate(target, value)));
    }
    return evaluations;
  }

  #named(reference: JsonValue): JsonValue {
    const name = /([a-z]+)(?:#n)?$/.exec(reference as string)?.[1] as string;
    return (this.root['$defs'] as JsonObject)[name] as JsonValue;
  }

  #enter(schema: JsonValue, evaluate: () => Evaluation): Evaluation {
    if (!isJsonObject(schema) || schema['$defs'] === undefined) return evaluate();
    this.#entered.push(schema);
    const evaluation = evaluate();
    this.#entered.pop();
    return evaluation;
  }

  #conditional(schema: JsonObject, value: JsonValue): Evaluation[] {
    if (schema['if'] === undefined) return [];
    const branch = schema[this.#valid(schema['if'], value) ? 'then' : 'else'];
    return branch === undefined ? [] : [this.evaluate(branch, value)];
  }

  #children(schema: JsonObject, value: JsonValue): Evaluation {
    if (Array.isArray(value)) return this.#items(schema, value as readonly JsonValue[]);
    return isJsonObject(value) ? this.#properties(schema, value) : NOTHING;
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
    return { valid, evaluated };
  }

  #items(schema: JsonObject, value: readonly JsonValue[]): Evaluation {
    const evaluated = new Set<number>();
    let valid = true;
    const prefix = (schema['prefixItems'] ?? []) as JsonValue[];
    const { items, contains } = schema;
    for (const [index, item] of value.entries()) {
      const applied = prefix[index] ?? items;
      if (applied === undefined) continue;
      evaluated.add(index);
      valid = this.#valid(applied, item) && valid;
    }
    if (contains === undefined) return { valid, evaluated };
    const found = [...value.keys()].filter((at) => this.#valid(contains, value[at] as JsonValue));
    const { minContains = 1, maxContains = Infinity } = schema as Readonly<Record<string, number>>;
    valid &&= found.length >= minContains && found.length <= maxContains;
    return { valid, evaluated: new Set([...evaluated, ...found]) };
  }
}

const NOTHING: Evaluation = { valid: true, evaluated: new Set() };

function childrenOf(value: JsonValue): readonly (readonly [string | number, JsonValue])[] {
  if (Array.isArray(value)) return [...(value as readonly JsonValue[]).entries()];
  return isJsonObject(value) ? Object.entries<JsonValue>(value) : [];
}

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
