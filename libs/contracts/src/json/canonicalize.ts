import { isJsonObject } from './json-value.js';
import type { JsonArray, JsonObject, JsonValue } from './json-value.js';
import { hasLoneSurrogate } from './unicode.js';

/**
 * Canonical JSON by RFC 8785: keys in order of their UTF-16 code units, numbers as ECMAScript prints
 * them (`-0` as `0`), no white space. Equal values give equal texts.
 *
 * Throws a TypeError for what has no canonical form: lone surrogates, numbers that are not finite,
 * the key `__proto__`, and anything that is not JSON.
 */
export function canonicalize(value: JsonValue): string {
  const progress = { unorderable: false };
  const ordered = inOrder(value, progress);
  return progress.unorderable ? write(ordered) : JSON.stringify(ordered);
}

/**
 * The same value with each object's keys in canonical order, so that the engine's own serializer,
 * several times faster than one in JavaScript, prints them so; shares what is in order already. An
 * engine lists keys that look like array indices first, by number: where that is another order, the
 * value is checked all the same and `unorderable` set.
 */
function inOrder(value: JsonValue, progress: { unorderable: boolean }): JsonValue {
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'string':
      return unicode(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no canonical JSON form`);
      return value;
    case 'object':
      if (value === null) return value;
      return isJsonObject(value) ? orderedObject(value, progress) : orderedArray(value, progress);
    default:
      throw new TypeError(`${typeof value} is not JSON`);
  }
}

function orderedArray(array: JsonArray, progress: { unorderable: boolean }): JsonArray {
  let result: JsonValue[] | undefined;
  for (let index = 0; index < array.length; index += 1) {
    const before = array[index] as JsonValue;
    const after = inOrder(before, progress);
    if (after === before) continue;
    result ??= [...array];
    result[index] = after;
  }
  return result ?? array;
}

function orderedObject(object: JsonObject, progress: { unorderable: boolean }): JsonObject {
  const keys = Object.keys(object);
  let same = isSorted(keys);
  if (!same) keys.sort();
  const result: Record<string, JsonValue> = {};
  for (const key of keys) {
    if (key === '__proto__') throw new TypeError('the key "__proto__" is not allowed');
    const before = object[key] as JsonValue;
    const after = inOrder(before, progress);
    if (after !== before) same = false;
    result[unicode(key)] = after;
  }
  if (same) return object;
  progress.unorderable ||= !isSorted(Object.keys(result));
  return result;
}

function isSorted(keys: readonly string[]): boolean {
  for (let index = 1; index < keys.length; index += 1) {
    if ((keys[index - 1] as string) > (keys[index] as string)) return false;
  }
  return true;
}

function unicode(text: string): string {
  if (hasLoneSurrogate(text)) throw new TypeError('a lone surrogate has no canonical JSON form');
  return text;
}

function write(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (!isJsonObject(value)) return `[${value.map(write).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${write(value[key] as JsonValue)}`);
  return `{${members.join(',')}}`;
}
