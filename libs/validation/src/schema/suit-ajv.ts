import { METER, METER_KEYS } from './own-keywords.js';

/** A subschema as ajv gets it: keywords of the draft and the meter, nothing else. */
export type ClosedSubschema = boolean | { readonly [keyword: string]: unknown };

type Keywords = Record<string, unknown>;
/** Puts a subschema in a definition, and answers a reference to it. */
type Define = (subschema: Keywords) => ClosedSubschema;

/**
 * Ajv's code for the first error nests as deep as a list is long, which takes quadratic time to
 * load, and at last the whole stack. Longer lists are cut into definitions of so many; the
 * alternatives of a longer `oneOf` become a definition each.
 */
export const MAX_WIDTH = 64;

/** Keywords whose entries say something each for itself. */
const MAPS = [
  'properties',
  'patternProperties',
  'dependentSchemas',
  'dependentRequired',
  'dependencies',
];

/** Keywords that look at every key of an object. */
const PER_KEY = [
  'additionalProperties',
  'maxProperties',
  'minProperties',
  'patternProperties',
  'propertyNames',
  'unevaluatedProperties',
];

/**
 * Rewrites the keywords of one subschema where ajv's code for them is wrong or slow, without
 * changing what they say. `noteEvaluated`: somewhere it matters what has been evaluated;
 * `noteContained`: somewhere also what `contains` has.
 */
export function suitAjv(
  keywords: Keywords,
  options: {
    readonly define: Define;
    readonly noteEvaluated: boolean;
    readonly noteContained: boolean;
  },
): void {
  const conditional = options.noteEvaluated ? takeConditional(keywords) : undefined;
  if (options.noteContained) {
    for (const each of [keywords, conditional ?? {}]) nameAlternatives(each, options.define);
  }
  if (conditional !== undefined) addToAllOf(keywords, [metered(conditional)]);
  setApart(keywords, options.define);
  for (const keyword of MAPS) splitMap(keywords, keyword, options.define);
  if (sizeOf(keywords['oneOf']) > MAX_WIDTH) nameAll(keywords, 'oneOf', options.define);
  for (const keyword of ['allOf', 'anyOf']) splitList(keywords, keyword, options.define);
}

/**
 * Where an array is shorter than its list of item schemas, ajv's code for the first error skips
 * what comes after that list; not so in a definition of its own.
 */
function setApart(keywords: Keywords, define: Define): void {
  if (keywords['prefixItems'] === undefined && !Array.isArray(keywords['items'])) return;
  const apart: Keywords = {};
  for (const keyword of ['contains', 'minContains', 'maxContains', 'uniqueItems']) {
    if (keywords[keyword] === undefined) continue;
    apart[keyword] = keywords[keyword];
    delete keywords[keyword];
  }
  if (Object.keys(apart).length > 0) addToAllOf(keywords, [define(apart)]);
}

/** What `noteContained` may have to repeat becomes a reference. */
function nameAlternatives(keywords: Keywords, define: Define): void {
  for (const keyword of ['anyOf', 'oneOf']) nameAll(keywords, keyword, define);
  const { contains } = keywords;
  if (contains !== undefined) keywords['contains'] = named(contains as ClosedSubschema, define);
}

function nameAll(keywords: Keywords, keyword: string, define: Define): void {
  const list = keywords[keyword];
  if (!Array.isArray(list)) return;
  keywords[keyword] = (list as ClosedSubschema[]).map((schema) => named(schema, define));
}

function named(schema: ClosedSubschema, define: Define): ClosedSubschema {
  return typeof schema === 'boolean' || isReference(schema) ? schema : define(schema);
}

function isReference(schema: Keywords): boolean {
  return Object.keys(schema).every((keyword) => keyword === '$ref' || keyword === METER);
}

/** Ajv takes what `if` looks at as evaluated also when it does not hold, and never when alone. */
function takeConditional(keywords: Keywords): Keywords | undefined {
  const { if: condition, then = true, else: otherwise = true } = keywords;
  if (condition === undefined) return undefined;
  for (const keyword of ['if', 'then', 'else']) delete keywords[keyword];
  const holds = metered({ allOf: [condition, then] });
  const fails = metered({ allOf: [metered({ not: condition }), otherwise] });
  return { anyOf: [holds, fails] };
}

/** Those that `additionalProperties` asks for keep their keys, with `true`. */
function splitMap(keywords: Keywords, keyword: string, define: Define): void {
  const map = keywords[keyword];
  if (typeof map !== 'object' || map === null) return;
  const entries = Object.entries(map).filter(([, schema]) => schema !== true);
  if (entries.length <= MAX_WIDTH) return;
  delete keywords[keyword];
  if (keyword.endsWith('roperties')) {
    keywords[keyword] = Object.fromEntries(Object.keys(map).map((key) => [key, true]));
  }
  const parts = chunksOf(entries).map((chunk) => define({ [keyword]: Object.fromEntries(chunk) }));
  addToAllOf(keywords, parts);
}

function splitList(keywords: Keywords, keyword: string, define: Define): void {
  let list = keywords[keyword];
  while (Array.isArray(list) && list.length > MAX_WIDTH) {
    list = chunksOf(list as readonly unknown[]).map((chunk) => define({ [keyword]: chunk }));
  }
  if (list !== undefined) keywords[keyword] = list;
}

function chunksOf<T>(items: readonly T[]): (readonly T[])[] {
  const chunks: (readonly T[])[] = [];
  for (let from = 0; from < items.length; from += MAX_WIDTH) {
    chunks.push(items.slice(from, from + MAX_WIDTH));
  }
  return chunks;
}

/** Adds conditions to those that the value must satisfy anyway. */
export function addToAllOf(keywords: Keywords, schemas: readonly ClosedSubschema[]): void {
  if (schemas.length === 0) return;
  const present = Array.isArray(keywords['allOf']) ? (keywords['allOf'] as unknown[]) : [];
  keywords['allOf'] = [...present, ...schemas];
}

/** Adds the meter's own keywords. */
export function metered(keywords: Keywords): ClosedSubschema {
  keywords[METER] = 1 + namesIn(keywords);
  if (PER_KEY.some((keyword) => keywords[keyword] !== undefined)) keywords[METER_KEYS] = true;
  return keywords;
}

/** Property names that the keywords of one subschema list: each costs code and time. */
export function namesIn(keywords: Keywords): number {
  const { required, properties, dependencies, dependentRequired } = keywords;
  const lists = [required, properties, dependencies, dependentRequired];
  for (const map of [dependencies, dependentRequired]) {
    if (typeof map === 'object' && map !== null) lists.push(...(Object.values(map) as unknown[]));
  }
  return lists.reduce<number>((sum, list) => sum + sizeOf(list), 0);
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
}
