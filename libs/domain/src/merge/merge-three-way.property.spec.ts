import { canonicalize, checkDocument, isJsonObject, joinPointer } from '@pawl/contracts';
import type { JsonObject, JsonValue } from '@pawl/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { layerDocument } from '../testing/documents.arbitrary.js';
import { seed } from '../testing/seed.fixture.js';
import { mergeThreeWay } from './merge-three-way.js';
import type { MergeSide } from './merge-three-way.js';
import { pointerSet } from './pointer-set.js';

type Document = JsonObject | undefined;
type Value = JsonValue | undefined;
interface Three {
  readonly base: Document;
  readonly theirs: Document;
  readonly ours: Document;
}

const PARAMETERS = { seed, numRuns: 1_000 } as const;

/** Half of the keys of one document, half of another's: so that versions have much in common. */
const edited = (from: Document): fc.Arbitrary<Document> =>
  fc
    .tuple(layerDocument, fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 15 }))
    .map(([other, mask, gone]) => {
      if (gone === 0 || from === undefined) return gone === 0 ? undefined : other;
      return mixed(from, other, { mask });
    });

function mixed(from: JsonObject, other: JsonObject, bits: { mask: number }): JsonObject {
  const result: Record<string, JsonValue> = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(other)])) {
    bits.mask = (bits.mask * 5 + 3) % 256;
    const [one, two] = [valueAt(from, key), valueAt(other, key)];
    const both = isTree(one) && isTree(two) && bits.mask > 64;
    const value = both ? mixed(one, two, bits) : bits.mask > 150 ? two : one;
    if (value !== undefined) result[key] = value;
  }
  return result;
}

const three: fc.Arbitrary<Three> = fc
  .option(layerDocument, { nil: undefined, freq: 10 })
  .chain((base) => fc.tuple(fc.constant(base), edited(base), edited(base)))
  .map(([base, theirs, ours]) => ({ base, theirs, ours }));

const place = fc
  .array(fc.constantFrom('a', 'b', 'c', 'constructor', '', '10', 'a/b', 'm~n', '$pawl'), {
    minLength: 1,
    maxLength: 3,
  })
  .map((keys) => keys.reduce(joinPointer, ''));
/** Now and then all of it. */
const local = fc.array(
  fc.oneof({ arbitrary: place, weight: 30 }, { arbitrary: fc.constant(''), weight: 1 }),
  { maxLength: 4 },
);
const resolve = fc.dictionary(
  fc.oneof(place, fc.constant('')),
  fc.constantFrom<MergeSide>('ours', 'theirs'),
  { maxKeys: 3 },
);

function merge(
  versions: Three,
  localAt: readonly string[] = [],
  sides: Readonly<Record<string, MergeSide>> = {},
) {
  return mergeThreeWay({
    ...versions,
    local: pointerSet(localAt.map((pointer) => [pointer, true])),
    resolve: pointerSet(Object.entries(sides)),
    limit: 1_000,
  });
}

function isTree(value: Value): value is JsonObject {
  return isJsonObject(value) && value['$pawl'] !== 'delete';
}

function valueAt(value: Value, key: string): Value {
  return isTree(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

const text = (value: Value): string => (value === undefined ? 'none' : canonicalize(value));

/** Every place in a document, the whole and empty ones too. */
function placesOf(value: Value, pointer = ''): [string, JsonValue][] {
  if (value === undefined) return [];
  if (!isTree(value)) return [[pointer, value]];
  const below = Object.entries(value).flatMap(([key, each]) =>
    placesOf(each, joinPointer(pointer, key)),
  );
  return [[pointer, value], ...below];
}

const at = (document: Value, pointer: string): Value => new Map(placesOf(document)).get(pointer);

const isIn = (pointer: string, places: readonly string[]): boolean =>
  places.some((one) => pointer === one || pointer.startsWith(`${one}/`));

/** The same rules over pointers as text and canonical bytes, as slow as they are. */
function dumbMerge(
  versions: Three,
  localAt: readonly string[],
  sides: Readonly<Record<string, MergeSide>>,
) {
  const conflicts: string[] = [];
  const kept = new Set<string>();
  const drop = (value: Value, pointer: string): Value => {
    if (value === undefined || isIn(pointer, localAt)) return undefined;
    if (!isTree(value)) return value;
    const rest: Record<string, JsonValue> = {};
    for (const [key, each] of Object.entries(value)) {
      const left = drop(each, joinPointer(pointer, key));
      if (left !== undefined) rest[key] = left;
    }
    return rest;
  };
  const run = (pointer: string, base: Value, theirs: Value, ours: Value): Value => {
    if (isIn(pointer, localAt)) return ours;
    const [b, t, o] = [base, theirs, ours].map((value) => text(drop(value, pointer)));
    if (b === t || o === t) return ours;
    const holds = localAt.some(
      (one) => one.startsWith(`${pointer}/`) && at(versions.ours, one) !== undefined,
    );
    const goesOn = isTree(ours) && (isTree(theirs) || (holds && theirs === undefined));
    if (holds && isTree(ours) && !goesOn) {
      kept.add(pointer);
      return ours;
    }
    if (o === b && !holds) return drop(theirs, pointer);
    if (!goesOn) {
      const told = Object.keys(sides).filter((one) => one === '' || isIn(pointer, [one]));
      const nearest = told.sort((x, y) => y.length - x.length)[0];
      if (nearest === undefined) conflicts.push(pointer);
      return nearest !== undefined && sides[nearest] === 'theirs' ? drop(theirs, pointer) : ours;
    }
    const result: Record<string, JsonValue> = {};
    const keys = new Set([...Object.keys(ours), ...Object.keys(isTree(theirs) ? theirs : {})]);
    for (const key of keys) {
      const below = [base, theirs, ours].map((value) => valueAt(value, key));
      const value = run(joinPointer(pointer, key), below[0], below[1], below[2]);
      if (value !== undefined) result[key] = value;
    }
    return result;
  };
  const { base, theirs, ours } = versions;
  const document = run('', base, theirs, ours);
  for (const one of localAt) {
    if (localAt.some((other) => one.startsWith(`${other}/`))) continue;
    const [b, t, o] = [base, theirs, ours].map((value) => text(at(value, one)));
    if (b !== t && o !== t) kept.add(one);
  }
  return { document, conflicts: conflicts.sort(), kept: [...kept].sort() };
}

it('does what a slow reading of the rules does', () => {
  let conflicts = 0;
  let kept = 0;
  const check = fc.property(three, local, resolve, (versions, localAt, sides) => {
    const merged = merge(versions, localAt, sides);
    const expected = dumbMerge(versions, localAt, sides);
    expect(text(merged.document)).toBe(text(expected.document));
    expect(merged.conflicts.items.map(({ pointer }) => pointer).sort()).toEqual(expected.conflicts);
    expect([...merged.kept.items].sort()).toEqual(expected.kept);
    conflicts += merged.conflicts.count;
    kept += merged.kept.count;
  });
  fc.assert(check, { ...PARAMETERS, numRuns: 2_000 });
  // Else nothing was compared.
  expect(Math.min(conflicts, kept)).toBeGreaterThan(100);
});

it('leaves ours alone where the source did not change', () => {
  const check = fc.property(three, local, ({ base, ours }, localAt) => {
    const merged = merge({ base, theirs: base, ours }, localAt);
    expect(text(merged.document)).toBe(text(ours));
    expect([merged.conflicts.count, merged.kept.count]).toEqual([0, 0]);
  });
  fc.assert(check, PARAMETERS);
});

it('takes theirs where ours did not change, and has no conflict where both did the same', () => {
  const check = fc.property(three, ({ base, theirs }) => {
    expect(text(merge({ base, theirs, ours: base }).document)).toBe(text(theirs));
    const same = merge({ base, theirs, ours: theirs });
    expect([text(same.document), same.conflicts.count]).toEqual([text(theirs), 0]);
  });
  fc.assert(check, PARAMETERS);
});

it('gives the same from either side, and in any order of keys', () => {
  const check = fc.property(three, local, ({ base, theirs, ours }, localAt) => {
    const merged = merge({ base, theirs, ours });
    const other = merge({ base, theirs: ours, ours: theirs });
    expect(other.conflicts.count).toBe(merged.conflicts.count);
    if (merged.conflicts.count === 0) expect(text(other.document)).toBe(text(merged.document));
    const turned = { base: reversed(base), theirs: reversed(theirs), ours: reversed(ours) };
    expect(JSON.stringify(inBytes(merge(turned, localAt)))).toBe(
      JSON.stringify(inBytes(merge({ base, theirs, ours }, localAt))),
    );
  });
  fc.assert(check, PARAMETERS);
});

it('never changes what is local, there or not, and writes only what can be a document', () => {
  const check = fc.property(three, local, resolve, (versions, localAt, sides) => {
    const { document } = merge(versions, localAt, sides);
    for (const one of localAt) expect(text(at(document, one))).toBe(text(at(versions.ours, one)));
    if (document !== undefined) expect(checkDocument(document, 'acme')).toMatchObject({ ok: true });
  });
  fc.assert(check, PARAMETERS);
});

it('decides every conflict when it is told how, each by the nearest place', () => {
  const check = fc.property(three, (versions) => {
    const found = merge(versions);
    for (const side of ['ours', 'theirs'] as const) {
      const merged = merge(versions, [], { '': side });
      expect([merged.conflicts.count, merged.resolved]).toEqual([0, found.conflicts.count]);
      for (const conflict of found.conflicts.items) {
        expect(text(at(merged.document, conflict.pointer))).toBe(text(conflict[side]));
        const all = found.conflicts.items.map(({ pointer }) => [pointer, side] as const);
        const other = side === 'ours' ? 'theirs' : 'ours';
        const near = merge(versions, [], { '': other, ...Object.fromEntries(all) });
        expect(text(near.document)).toBe(text(merged.document));
      }
    }
  });
  fc.assert(check, PARAMETERS);
});

function reversed(value: Document): Document {
  return value === undefined ? undefined : (turned(value) as JsonObject);
}

function turned(value: JsonValue): JsonValue {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, each]) => [key, turned(each)]),
  );
}

function inBytes({ document, conflicts, kept }: ReturnType<typeof merge>) {
  const values = conflicts.items.map((one) => [
    one.pointer,
    ...[one.base, one.theirs, one.ours].map(text),
  ]);
  return [text(document), values, kept];
}
