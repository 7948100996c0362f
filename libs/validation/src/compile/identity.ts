import type { JsonArray, JsonObject, JsonValue } from '@pawl/contracts';

/**
 * A text that two JSON values share exactly when JSON Schema calls them equal: numbers by value,
 * objects whatever the order of their keys. Unlike canonical JSON it takes lone surrogates.
 */
export function identityOf(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as JsonArray).map(identityOf).join(',')}]`;
  const object = value as JsonObject;
  const members = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${identityOf(object[key] as JsonValue)}`);
  return `{${members.join(',')}}`;
}
