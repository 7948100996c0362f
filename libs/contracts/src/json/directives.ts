import { LIMITS } from '../limits.js';
import { done, refused } from '../problems.js';
import type { Outcome, ProblemCode, ProblemError } from '../problems.js';
import { isJsonObject } from './json-value.js';
import type { JsonObject, JsonValue } from './json-value.js';
import { joinPointer } from './pointer.js';

/** The reserved key that directs the merge of a document over its ancestors. */
export const DIRECTIVE = '$pawl';

interface Fault extends ProblemError {
  readonly code: ProblemCode;
}

interface Place {
  readonly pointer: string;
  readonly depth: number;
  readonly inArray: boolean;
}

/**
 * Checks that a value can be an address's document: an object (`not-an-object`) with directives only
 * where they mean something (`unknown-directive`), however it came to be: nested at most
 * `LIMITS.jsonDepth` deep (`too-deep`) and without the key `__proto__` (`forbidden-key`).
 */
export function checkDocument(value: JsonValue, address: string): Outcome<JsonObject> {
  if (!isJsonObject(value)) {
    const message = `a document is a JSON object, this is ${kindOf(value)}`;
    return refused('not-an-object', message, { errors: [{ address, pointer: '', message }] });
  }
  const faults: Fault[] = [];
  checkObject(value, { pointer: '', depth: 1, inArray: false }, { address, faults });
  const [first] = faults;
  if (first === undefined) return done(value);
  const place = first.pointer === '' ? 'at the top' : `at ${first.pointer}`;
  return refused(first.code, `${place}: ${first.message}`, {
    errors: faults.map(({ code: _, ...error }) => error),
  });
}

interface Collector {
  readonly address: string;
  readonly faults: Fault[];
}

function checkValue(value: JsonValue, place: Place, into: Collector): void {
  if (typeof value !== 'object' || value === null) return;
  if (place.depth > LIMITS.jsonDepth) {
    report(into, place, 'too-deep', `nested deeper than ${LIMITS.jsonDepth} levels`);
    return;
  }
  if (isJsonObject(value)) checkObject(value, place, into);
  else {
    for (let index = 0; index < value.length; index += 1) {
      checkValue(value[index] as JsonValue, below(place, index, true), into);
    }
  }
}

function checkObject(object: JsonObject, place: Place, into: Collector): void {
  if (into.faults.length >= LIMITS.errors) return;
  const keys = Object.keys(object);
  if (Object.hasOwn(object, DIRECTIVE)) {
    const message = directiveFault(object[DIRECTIVE] as JsonValue, keys.length, place);
    if (message !== undefined) report(into, place, 'unknown-directive', message);
  }
  for (const key of keys) {
    const value = object[key] as JsonValue;
    if (key === '__proto__') {
      report(into, below(place, key), 'forbidden-key', 'the key "__proto__" is not allowed');
    } else if (typeof value === 'object' && value !== null) {
      checkValue(value, below(place, key), into);
    }
  }
}

function directiveFault(directive: JsonValue, keys: number, place: Place): string | undefined {
  if (directive === 'secret') {
    return '"$pawl":"secret" is reserved for a later version and cannot be used yet';
  }
  if (directive !== 'delete' && directive !== 'replace') {
    return `"$pawl" is "delete" or "replace", not ${abridged(directive)}`;
  }
  if (place.inArray) {
    return `"$pawl":"${directive}" has no meaning inside an array: arrays replace as a whole`;
  }
  if (directive === 'replace') return undefined;
  if (place.pointer === '') {
    return '"$pawl":"delete" cannot delete the document itself: disable the release instead';
  }
  return keys > 1 ? '"$pawl":"delete" stands alone: remove the other keys' : undefined;
}

function below(place: Place, key: string | number, array = false): Place {
  return {
    pointer: joinPointer(place.pointer, key),
    depth: place.depth + 1,
    inArray: place.inArray || array,
  };
}

function report(into: Collector, place: Place, code: ProblemCode, message: string): void {
  if (into.faults.length >= LIMITS.errors) return;
  into.faults.push({ code, address: into.address, pointer: place.pointer, message });
}

function abridged(value: JsonValue): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return kindOf(value);
}

function kindOf(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
