import type { JsonValue } from '@pawl/contracts';

/** Equality of JSON values, RFC 6902 §4.6: the order of keys does not count. */
export function isEqual(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item: JsonValue, index) => isEqual(item, b[index] as JsonValue));
  }
  const [left, right] = [a, b] as readonly Readonly<Record<string, JsonValue>>[];
  if (left === undefined || right === undefined) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every(
    (key) => Object.hasOwn(right, key) && isEqual(left[key] as JsonValue, right[key] as JsonValue),
  );
}
