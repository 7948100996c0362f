import { joinPointer, LIMITS } from '@pawl/contracts';
import type { Violation } from '@pawl/engine';
import type { ErrorObject } from 'ajv';

/** Longest text of a user that a message repeats. */
const SHOWN_LENGTH = 200;
/** Most allowed values that a message lists. */
const SHOWN_VALUES = 20;

type Params = Readonly<Record<string, unknown>>;

/**
 * At most 100 violations in the order found, each once. They point at the value that is wrong; at
 * the key itself when it should not be there; at the object when a key is missing.
 */
export function violationsOf(errors: readonly ErrorObject[]): readonly Violation[] {
  const found = new Map<string, Violation>();
  for (const error of errors) {
    const violation = {
      pointer: pointerOf(error),
      keyword: keywordOf(error),
      message: messageOf(error),
    };
    found.set(`${violation.pointer}\n${violation.keyword}\n${violation.message}`, violation);
    if (found.size === LIMITS.errors) break;
  }
  return [...found.values()];
}

function keywordOf(error: ErrorObject): string {
  return error.keyword === 'false schema' ? 'false' : error.keyword;
}

function pointerOf(error: ErrorObject): string {
  const params = error.params as Params;
  const key =
    params['additionalProperty'] ??
    params['unevaluatedProperty'] ??
    (error.keyword === 'propertyNames' ? params['propertyName'] : error.propertyName);
  return typeof key === 'string' ? joinPointer(error.instancePath, key) : error.instancePath;
}

const MESSAGES: Readonly<Record<string, (schema: unknown, params: Params) => string>> = {
  type: (schema) => `must be ${list([schema].flat(), ' or ', String)}`,
  enum: (schema) => `must be one of ${list(schema as unknown[], ', ')}`,
  const: (schema) => `must be ${shown(schema)}`,
  required: (_, params) => `must have the property ${shown(params['missingProperty'])}`,
  additionalProperties: (_, params) =>
    `the property ${shown(params['additionalProperty'])} is not allowed`,
  unevaluatedProperties: (_, params) =>
    `the property ${shown(params['unevaluatedProperty'])} is not allowed`,
  additionalItems: (_, params) => `must not have more than ${text(params['limit'])} items`,
  items: (_, params) => `must not have more than ${text(params['limit'])} items`,
  unevaluatedItems: (_, params) => unevaluatedItems(params),
  propertyNames: (_, params) => `the property name ${shown(params['propertyName'])} is not allowed`,
  dependencies: (_, params) => dependency(params),
  dependentRequired: (_, params) => dependency(params),
  pattern: (schema) => `must match the pattern ${cut(String(schema))}`,
  format: (schema) => `must be in the format ${shown(schema)}`,
  multipleOf: (schema) => `must be a multiple of ${text(schema)}`,
  minimum: (schema) => `must be at least ${text(schema)}`,
  maximum: (schema) => `must be at most ${text(schema)}`,
  exclusiveMinimum: (schema) => `must be greater than ${text(schema)}`,
  exclusiveMaximum: (schema) => `must be less than ${text(schema)}`,
  minLength: (schema) => `must have at least ${text(schema)} characters`,
  maxLength: (schema) => `must have at most ${text(schema)} characters`,
  minItems: (schema) => `must have at least ${text(schema)} items`,
  maxItems: (schema) => `must have at most ${text(schema)} items`,
  minProperties: (schema) => `must have at least ${text(schema)} properties`,
  maxProperties: (schema) => `must have at most ${text(schema)} properties`,
  uniqueItems: (_, params) => `items ${list(params['items'] as unknown[], ' and ')} are equal`,
  contains: (_, params) => contains(params),
  anyOf: () => 'matches none of the allowed alternatives',
  oneOf: (_, params) => oneOf(params),
  not: () => 'matches what is not allowed here',
  if: (_, params) => `does not satisfy what "${text(params['failingKeyword'])}" asks for`,
  'false schema': () => 'nothing is allowed here',
};

function messageOf(error: ErrorObject): string {
  const describe = Object.hasOwn(MESSAGES, error.keyword) ? MESSAGES[error.keyword] : undefined;
  return describe?.(error.schema, error.params as Params) ?? `must satisfy "${error.keyword}"`;
}

function dependency(params: Params): string {
  const { missingProperty, property } = params;
  return `must have the property ${shown(missingProperty)} because it has ${shown(property)}`;
}

function contains(params: Params): string {
  const { minContains, maxContains } = params;
  const most = maxContains === undefined ? '' : ` and at most ${text(maxContains)}`;
  return `must have at least ${text(minContains)}${most} of the items asked for`;
}

function unevaluatedItems({ limit, index }: Params): string {
  return index === undefined
    ? `must not have more than ${text(limit)} items`
    : `the item ${text(index)} is not allowed`;
}

function oneOf(params: Params): string {
  const passing = params['passingSchemas'] as readonly number[];
  if (passing.length === 0) return 'matches none of the allowed alternatives';
  return (
    'must match exactly one of the alternatives, ' +
    `but matches ${passing.length} of them: ${list(passing, ', ')}`
  );
}

function list(values: readonly unknown[], joint: string, print = shown): string {
  const first = values.slice(0, SHOWN_VALUES).map((value) => print(value));
  const more = values.length - first.length;
  return first.join(joint) + (more > 0 ? ` or ${more} more` : '');
}

function shown(value: unknown): string {
  return cut(JSON.stringify(value) ?? 'nothing');
}

function text(value: unknown): string {
  return cut(String(value));
}

function cut(value: string): string {
  return value.length <= SHOWN_LENGTH ? value : `${value.slice(0, SHOWN_LENGTH)}…`;
}
