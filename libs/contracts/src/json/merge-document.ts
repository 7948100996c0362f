import { DIRECTIVE } from './directives.js';
import { isJsonObject } from './json-value.js';
import type { JsonObject, JsonValue } from './json-value.js';

/**
 * Lays one layer's document over an effective document: objects merge key by key, anything else
 * replaces, `null` is a value. The overlay's directives are applied and do not appear in the result:
 * `{"$pawl":"delete"}` takes the inherited key away, an object with `"$pawl":"replace"` takes the
 * place of what is inherited instead of merging with it.
 *
 * `base` holds no directives and `overlay` passed `checkDocument`. Neither is changed; what stays as
 * it was is shared, and a merge that changes nothing answers `base` itself. Linear in both.
 */
export function mergeDocument(base: JsonObject, overlay: JsonObject): JsonObject {
  const keys = Object.keys(base);
  return overlay[DIRECTIVE] === 'replace' || keys.length === 0
    ? withoutDirectives(overlay)
    : mergeInto(base, keys, overlay);
}

function mergeInto(base: JsonObject, keys: readonly string[], overlay: JsonObject): JsonObject {
  const result: Record<string, JsonValue> = {};
  let changed = false;
  for (const key of keys) {
    const below = base[key] as JsonValue;
    if (!Object.hasOwn(overlay, key)) {
      result[key] = below;
      continue;
    }
    const over = overlay[key] as JsonValue;
    if (isDelete(over)) {
      changed = true;
      continue;
    }
    const value = mergeValue(below, over);
    changed ||= value !== below;
    result[key] = value;
  }
  for (const key of Object.keys(overlay)) {
    const over = overlay[key] as JsonValue;
    if (Object.hasOwn(base, key) || isDelete(over)) continue;
    result[key] = mergeValue(undefined, over);
    changed = true;
  }
  return changed ? result : base;
}

function mergeValue(below: JsonValue | undefined, over: JsonValue): JsonValue {
  if (!isJsonObject(over)) return over;
  return isJsonObject(below) ? mergeDocument(below, over) : withoutDirectives(over);
}

function withoutDirectives(overlay: JsonObject): JsonObject {
  const result: Record<string, JsonValue> = {};
  let changed = false;
  for (const key of Object.keys(overlay)) {
    const over = overlay[key] as JsonValue;
    if (key === DIRECTIVE || isDelete(over)) {
      changed = true;
      continue;
    }
    const value = isJsonObject(over) ? withoutDirectives(over) : over;
    changed ||= value !== over;
    result[key] = value;
  }
  return changed ? result : overlay;
}

function isDelete(value: JsonValue): boolean {
  return isJsonObject(value) && value[DIRECTIVE] === 'delete';
}
