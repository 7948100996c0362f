import { METER, METER_KEYS } from './meter-keywords.js';

/** A subschema as ajv gets it: keywords of the draft and the meter, nothing else. */
export type ClosedSubschema = boolean | { readonly [keyword: string]: unknown };

type Keywords = Record<string, unknown>;
/** Puts a subschema in a definition, and answers a reference to it. */
type Define = (subschema: Keywords) => ClosedSubschema;

/**
 * Ajv's code for the first error nests as deep as a list is long, which takes quadratic time to
 * load, and at last the whole stack. Longer lists are cut into definitions of so many.
 */
const MAX_WIDTH = 64;

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
 * changing what they say. `noteEvaluated`: somewhere it matters what has been evaluated.
 */
export function suitAjv(
  keywords: Keywords,
  options: { readonly define: Define; readonly noteEvaluated: boolean },
): void {
  setApart(keywords, options.define);
  if (options.noteEvaluated) writeOutConditional(keywords);
  for (const keyword of ['properties', 'patternProperties']) {
    splitMap(keywords, keyword, options.define);
  }
  for (const keyword of ['allOf', 'anyOf']) splitList(keywords, keyword, options.define);
}

/**
 * Where an array is shorter than its list of item schemas, ajv's code for the first error skips
 * what comes after that list; and of an empty array in a loop `contains` says what it said of the
 * array before. Neither happens in a definition of their own.
 */
function setApart(keywords: Keywords, define: Define): void {
  const hasTuple = keywords['prefixItems'] !== undefined || Array.isArray(keywords['items']);
  const apart: Keywords = {};
  for (const keyword of ['contains', 'minContains', 'maxContains', 'uniqueItems']) {
    if (keywords[keyword] === undefined || (keyword === 'uniqueItems' && !hasTuple)) continue;
    apart[keyword] = keywords[keyword];
    delete keywords[keyword];
  }
  if (Object.keys(apart).length > 0) addToAllOf(keywords, [define(apart)]);
}

/** Ajv takes what `if` looks at as evaluated also when it does not hold, and never when alone. */
function writeOutConditional(keywords: Keywords): void {
  const { if: condition, then = true, else: otherwise = true } = keywords;
  if (condition === undefined) return;
  for (const keyword of ['if', 'then', 'else']) delete keywords[keyword];
  const holds = metered({ allOf: [condition, then] });
  const fails = metered({ allOf: [metered({ not: condition }), otherwise] });
  addToAllOf(keywords, [metered({ anyOf: [holds, fails] })]);
}

/** The keys stay, with `true`: `additionalProperties` asks for them. */
function splitMap(keywords: Keywords, keyword: string, define: Define): void {
  const map = keywords[keyword];
  if (typeof map !== 'object' || map === null) return;
  const entries = Object.entries(map).filter(([, schema]) => schema !== true);
  if (entries.length <= MAX_WIDTH) return;
  keywords[keyword] = Object.fromEntries(Object.keys(map).map((key) => [key, true]));
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
