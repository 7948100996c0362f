import type { JsonValue } from '../json/json-value.js';

/** The same value, frozen all the way down: changing it throws. */
export function frozen<T extends JsonValue>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach((member: JsonValue) => frozen(member));
    Object.freeze(value);
  }
  return value;
}
