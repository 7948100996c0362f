import type { JsonValue } from '@pawl/contracts';

/** Splits a path at its dots; `\.` is a dot inside a key, `\\` a backslash. */
export function parsePath(path: string): readonly string[] {
  if (!path.includes('\\')) return path.split('.');
  const keys: string[] = [];
  let key = '';
  for (let index = 0; index < path.length; index += 1) {
    const character = path.charAt(index);
    if (character === '\\' && index + 1 < path.length) {
      index += 1;
      key += path.charAt(index);
    } else if (character === '.') {
      keys.push(key);
      key = '';
    } else {
      key += character;
    }
  }
  return [...keys, key];
}

/** One key as it stands in a path: the inverse of {@link parsePath}. */
export function escapeKey(key: string): string {
  return key.includes('.') || key.includes('\\') ? key.replace(/[\\.]/g, '\\$&') : key;
}

const INDEX = /^(?:0|[1-9][0-9]*)$/;

/** The value that `keys` lead to through own properties, `undefined` when there is none. */
export function valueAt(
  document: JsonValue | undefined,
  keys: readonly string[],
): JsonValue | undefined {
  let at = document;
  for (const key of keys) {
    if (typeof at !== 'object' || at === null) return undefined;
    if (Array.isArray(at) ? !INDEX.test(key) : !Object.hasOwn(at, key)) return undefined;
    at = (at as Readonly<Record<string, JsonValue>>)[key];
  }
  return at;
}
