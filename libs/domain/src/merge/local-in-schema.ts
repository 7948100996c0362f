import { isJsonObject } from '@pawl/contracts';
import type { JsonValue } from '@pawl/contracts';
import type { PointerSet } from './pointer-set.js';

/** The annotation of a property whose value is its environment's own. */
const ANNOTATION = 'x-pawl-local';

/**
 * The places that a schema marks with `"x-pawl-local": true`: properties, and properties of those. What is
 * said in other ways (`$ref`, `allOf`, patterns) is not looked at.
 */
export function localInSchema(schema: JsonValue): PointerSet<true> | undefined {
  if (!isJsonObject(schema)) return undefined;
  if (schema[ANNOTATION] === true) return { told: true, below: new Map() };
  const { properties } = schema;
  if (!Object.hasOwn(schema, 'properties') || !isJsonObject(properties)) return undefined;
  const below = new Map<string, PointerSet<true>>();
  for (const [key, value] of Object.entries(properties)) {
    const local = localInSchema(value);
    if (local !== undefined) below.set(key, local);
  }
  return below.size === 0 ? undefined : { told: undefined, below };
}

/** All places of all sets. */
export function allPlaces(sets: readonly PointerSet<true>[]): PointerSet<true> {
  if (sets.some(({ told }) => told)) return { told: true, below: new Map() };
  const byKey = new Map<string, PointerSet<true>[]>();
  for (const { below } of sets) {
    for (const [key, each] of below) byKey.set(key, [...(byKey.get(key) ?? []), each]);
  }
  const below = [...byKey].map(([key, each]) => [key, allPlaces(each)] as const);
  return { told: undefined, below: new Map(below) };
}
