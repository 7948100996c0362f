import { isJsonObject } from '@pawl/contracts';
import type { JsonObject, JsonValue } from '@pawl/contracts';
import { escapeKey } from './path.js';

/** Whether two JSON values are equal, whatever the order of their keys. */
export function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => sameJson(item as JsonValue, b[index] as JsonValue));
  }
  return sameObject(a as JsonObject, b as JsonObject);
}

function sameObject(a: JsonObject, b: JsonObject): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]));
}

/**
 * Paths of the keys that were added, removed or whose value changed, objects compared key by key and
 * arrays as a whole; at most `limit`. A document that comes or goes shows its top-level keys.
 */
export function changedPaths(
  before: JsonObject | undefined,
  after: JsonObject | undefined,
  limit: number,
): readonly string[] {
  const paths: string[] = [];
  collect(before ?? {}, after ?? {}, { prefix: '', paths, limit });
  return paths;
}

interface Collection {
  readonly prefix: string;
  readonly paths: string[];
  readonly limit: number;
}

function collect(before: JsonObject, after: JsonObject, into: Collection): void {
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  for (const key of [...Object.keys(after), ...gone]) {
    if (into.paths.length >= into.limit) return;
    const path = into.prefix + escapeKey(key);
    const was = Object.hasOwn(before, key) ? before[key] : undefined;
    const is = Object.hasOwn(after, key) ? after[key] : undefined;
    if (isJsonObject(was) && isJsonObject(is)) collect(was, is, { ...into, prefix: `${path}.` });
    else if (!sameJson(was, is)) into.paths.push(path);
  }
}
