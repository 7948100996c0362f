import { LIMITS } from '@pawl/contracts';
import type { JsonValue } from '@pawl/contracts';

/**
 * Freezes a parsed JSON value and everything in it, in one linear pass. Throws a TypeError, possibly
 * after freezing part of it, when it is nested deeper than {@link LIMITS.jsonDepth} or holds the key
 * `__proto__`; such a value must not be used.
 */
export function deepFreeze<T extends JsonValue>(value: T): T {
  freeze(value, 1);
  return value;
}

function freeze(value: JsonValue, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > LIMITS.jsonDepth) throw new TypeError(`nested deeper than ${LIMITS.jsonDepth}`);
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) freeze(item, depth + 1);
  } else {
    if (Object.hasOwn(value, '__proto__')) throw new TypeError('holds the key "__proto__"');
    for (const item of Object.values(value)) freeze(item, depth + 1);
  }
  Object.freeze(value);
}
