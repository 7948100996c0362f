import { LIMITS } from '../limits.js';
import { done, refused } from '../problems.js';
import type { Outcome } from '../problems.js';
import { JsonFault, JsonReader } from './json-reader.js';
import type { JsonValue } from './json-value.js';

export interface ParseJsonOptions {
  /** Deepest nesting accepted; the outermost container is depth 1. Default `LIMITS.jsonDepth`. */
  readonly maxDepth?: number;
  /**
   * `exact` (default) refuses integer literals that RFC 8785 would print otherwise, for documents;
   * `double` rounds them as JSON.parse does, for schemas.
   */
  readonly numbers?: 'exact' | 'double';
  /** Which address the errors name. */
  readonly address?: string;
}

/** A recursion of this depth fits the stack many times over. */
const MAX_DEPTH = 512;

/**
 * Reads JSON (RFC 8259) strictly, in one pass, in time linear in the text. Agrees with JSON.parse,
 * except that it refuses what Pawl cannot carry faithfully. Problems:
 * - `malformed-json`: outside the grammar, a byte order mark included;
 * - `duplicate-key`: a key that occurs twice in one object;
 * - `forbidden-key`: the key `__proto__`, also when spelled with escapes;
 * - `lone-surrogate`: a key or value that has no UTF-8 form, raw or by `\u` escapes;
 * - `number-not-representable`: a number beyond the doubles; with `numbers: 'exact'` also an integer
 *   literal (no fraction, no exponent) that is not what RFC 8785 prints for its double, such as
 *   9007199254740993;
 * - `too-deep`: nested deeper than `maxDepth` (at most 512).
 *
 * Zero has one form: `-0` and `-0.0` are read as 0, which is how RFC 8785 prints them, and are not
 * refused, since no value is lost. Each problem carries one error with the JSON Pointer of what is
 * wrong (of the nearest container, where that would be very long) and line and column in words.
 */
export function parseJson(text: string, options: ParseJsonOptions = {}): Outcome<JsonValue> {
  const reader = new JsonReader(text, {
    maxDepth: Math.min(options.maxDepth ?? LIMITS.jsonDepth, MAX_DEPTH),
    exact: options.numbers !== 'double',
  });
  try {
    return done(reader.read());
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    const message = `${fault.message} (${position(text, fault.at)})`;
    return refused(fault.code, message, {
      errors: [{ address: options.address ?? '', pointer: fault.pointer, message }],
    });
  }
}

function position(text: string, at: number): string {
  let line = 1;
  let lineStart = 0;
  for (let end = text.indexOf('\n'); end !== -1 && end < at; end = text.indexOf('\n', end + 1)) {
    line += 1;
    lineStart = end + 1;
  }
  return `line ${line}, column ${at - lineStart + 1}`;
}
