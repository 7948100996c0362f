import { isJsonObject } from './json-value.js';
import type { JsonObject, JsonValue } from './json-value.js';

/**
 * Applies a JSON Merge Patch (RFC 7396). Neither argument is changed; what the patch leaves alone is
 * shared with `target`.
 */
export function mergePatch(target: JsonValue, patch: JsonValue): JsonValue {
  if (!isJsonObject(patch)) return patch;
  const base: JsonObject = isJsonObject(target) ? target : {};
  const result: Record<string, JsonValue> = {};
  for (const key of Object.keys(base)) {
    const value = base[key] as JsonValue;
    if (!Object.hasOwn(patch, key)) result[key] = value;
    else if (patch[key] !== null) result[key] = mergePatch(value, patch[key] as JsonValue);
  }
  for (const key of Object.keys(patch)) {
    const value = patch[key] as JsonValue;
    if (value !== null && !Object.hasOwn(base, key)) result[key] = mergePatch(null, value);
  }
  return result;
}
