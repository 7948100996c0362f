import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../json/json-value.js';

/** Whether a string survives UTF-8. */
const isUnicode = (text: string): boolean => Buffer.from(text).toString() === text;

/** Keys that trip up careless code beside ordinary ones; few enough to collide often. */
export const jsonKey: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c', 'limits', 'A') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', 'constructor', 'toString', 'hasOwnProperty', '/', '~', '\r'),
  },
  { weight: 2, arbitrary: fc.constantFrom('0', '1', '2', '10', '9', '-1', '01', '4294967295') },
  {
    weight: 1,
    arbitrary: fc
      .string({ unit: 'binary', maxLength: 4 })
      .filter((key) => key !== '__proto__' && isUnicode(key)),
  },
);

export const jsonNumber: fc.Arbitrary<number> = fc
  .oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, 1e21, 1e20, 1e-7, 5e-324, 2 ** 53, 1.7976931348623157e308),
  )
  .map((value) => (value === 0 ? 0 : value));

export const jsonLeaf: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom(null, true, false),
  jsonNumber,
  fc.string({ unit: 'binary', maxLength: 8 }).filter(isUnicode),
  fc.constantFrom('', '\u2028', '"\\/\b\f\n\r\t', '\u0000\u001f\u007f', '😀', '__proto__'),
);

const tree = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    jsonLeaf,
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc.dictionary(jsonKey, tie('value'), { maxKeys: 6, noNullPrototype: true }),
}));

export const jsonValue: fc.Arbitrary<JsonValue> = tree.value;
export const jsonObject: fc.Arbitrary<JsonObject> = tree.object;
