import { DIRECTIVE, isJsonObject } from '@pawl/contracts';
import type { JsonObject, JsonValue } from '@pawl/contracts';
import { isEqual } from './is-equal.js';

/** A value of a document, or that there is none, which is something else than `null`. */
export type Maybe = JsonValue | undefined;

/** Whether it is merged key by key: an object that is not there to delete what is inherited. */
export function isTree(value: Maybe): value is JsonObject {
  if (!isJsonObject(value)) return false;
  return !Object.hasOwn(value, DIRECTIVE) || value[DIRECTIVE] === 'replace';
}

/** Under a key of a tree; what is none has no keys. */
export function valueAt(value: Maybe, key: string): Maybe {
  return isTree(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function isSame(a: Maybe, b: Maybe): boolean {
  return a === undefined || b === undefined ? a === b : isEqual(a, b);
}
