import { checkDocument } from '@pawl/contracts';
import type { JsonObject, JsonValue } from '@pawl/contracts';
import fc from 'fast-check';

/** Few keys, so that layers meet often; some trip up careless code. */
const key = fc.constantFrom('a', 'b', 'c', 'constructor', '', '10', '9', 'a/b', 'm~n');
const leaf: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom(null, true, 0, 1, 'x', '$pawl'),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'grapheme', maxLength: 3 }),
);
const plain = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

const tree = fc.letrec<{ member: JsonValue; object: JsonObject }>((tie) => ({
  member: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    leaf,
    tie('object'),
    tie('object'),
    fc.array(plain, { maxLength: 3 }),
    fc.constant({ $pawl: 'delete' }),
  ),
  object: fc
    .tuple(
      fc.dictionary(key, tie('member'), { maxKeys: 5, noNullPrototype: true }),
      fc.integer({ min: 0, max: 7 }),
    )
    .map(([members, die]) => (die === 0 ? { $pawl: 'replace', ...members } : members)),
}));

/** Documents of layers: objects with directives wherever they are allowed. */
export const layerDocument: fc.Arbitrary<JsonObject> = tree.object.filter(
  (document) => checkDocument(document, 'acme').ok,
);
