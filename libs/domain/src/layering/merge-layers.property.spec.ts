import {
  address,
  canonicalize,
  isJsonObject,
  layerAddresses,
  STABLE_COHORT,
} from '@pawl/contracts';
import type { Address, JsonObject, JsonValue } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { computeVariant } from '../snapshot/compute-head.js';
import { layerDocument } from '../testing/documents.arbitrary.js';
import { makeSnapshot } from '../testing/make-snapshot.js';
import { seed } from '../testing/seed.fixture.js';
import { explainLayers } from './explain-layers.js';
import type { Layer } from './layer.js';
import { mergeLayers } from './merge-layers.js';

const CHAIN = layerAddresses(address('acme/prod/eu/checkout/canary'));

function layersOf(documents: readonly JsonObject[]): Layer[] {
  return documents.map((document, index) => ({
    address: CHAIN[Math.min(index, CHAIN.length - 1)]!.text,
    version: index + 1,
    author: `author-${index}`,
    document,
  }));
}

const documents = fc.array(layerDocument, { minLength: 1, maxLength: 5 });
const bytes = (layers: readonly JsonObject[]): string =>
  canonicalize(mergeLayers(layersOf(layers)));
/**
 * A merge that is wrong in one line differs from the plain one within 250 runs, nearly always within a
 * hundred. Of fewer is asked what follows from the plain one.
 */
const MANY = { seed, numRuns: 2000 };
const SOME = { seed, numRuns: 1000 };
const FEW = { seed, numRuns: 500 };

/** The merge by the words of the design, on copies that it changes in place. */
function plainly(inherited: JsonValue | undefined, said: JsonValue): JsonValue | undefined {
  if (!isJsonObject(said)) return structuredClone(said);
  if (said['$pawl'] === 'delete') return undefined;
  const start = said['$pawl'] !== 'replace' && isJsonObject(inherited) ? inherited : {};
  const result = new Map(Object.entries(structuredClone(start)));
  for (const [key, value] of Object.entries(said)) {
    if (key === '$pawl') continue;
    const merged = plainly(result.get(key), value);
    if (merged === undefined) result.delete(key);
    else result.set(key, merged);
  }
  return Object.fromEntries(result);
}

/** Every leaf and every empty container with its pointer. */
function* places(value: JsonValue, pointer = ''): Generator<[string, JsonValue]> {
  const members = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (members.length === 0) yield [pointer, value];
  for (const [key, member] of members) {
    const token = key.replaceAll('~', '~0').replaceAll('/', '~1');
    yield* places(member, `${pointer}/${token}`);
  }
}

/** What a document as written says at a pointer; `undefined` for nothing, or for "delete". */
function saidAt(document: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = document;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as JsonObject)[key];
  }
  return isJsonObject(value) && value['$pawl'] === 'delete' ? undefined : value;
}

describe('layering', () => {
  it('merges as a plain second implementation does', () => {
    fc.assert(
      fc.property(documents, (layers) => {
        const expected = layers.reduce<JsonValue>((below, said) => plainly(below, said) ?? {}, {});
        expect(bytes(layers)).toBe(canonicalize(expected));
      }),
      MANY,
    );
  });

  it('lets no directive into the effective document', () => {
    fc.assert(
      fc.property(documents, (layers) => {
        expect(bytes(layers)).not.toContain('"$pawl":');
      }),
      FEW,
    );
  });

  it('does not change what it merges', () => {
    fc.assert(
      fc.property(documents, (layers) => {
        const before = JSON.stringify(layers);
        mergeLayers(layersOf(layers));
        explainLayers(layersOf(layers));
        expect(JSON.stringify(layers)).toBe(before);
      }),
      SOME,
    );
  });

  it('gives the same with an empty ancestor added at any depth', () => {
    fc.assert(
      fc.property(documents, fc.nat(5), (layers, depth) => {
        const at = depth % (layers.length + 1);
        expect(bytes([...layers.slice(0, at), {}, ...layers.slice(at)])).toBe(bytes(layers));
      }),
      FEW,
    );
  });

  it('gives the same when a layer is laid over itself', () => {
    fc.assert(
      fc.property(documents, (layers) => {
        expect(bytes([...layers, layers.at(-1)!])).toBe(bytes(layers));
      }),
      FEW,
    );
  });

  it('is nothing without layers', () => {
    expect(mergeLayers([])).toBeNull();
    expect(explainLayers([])).toEqual({});
  });
});

describe('an effective document', () => {
  /** What a node knows after documents arrived in some order, keys in some order. */
  function effective(arrivals: readonly (readonly [Address, JsonObject])[]): string {
    const known = new Map(arrivals.map(([at, document]) => [at.text, document]));
    const layers = CHAIN.flatMap(({ text }) => {
      const document = known.get(text);
      return document === undefined ? [] : [{ address: text, version: 1, author: 'a', document }];
    });
    const document = mergeLayers(layers);
    const { head } = makeSnapshot({
      ...{ address: CHAIN.at(-1)!.text, version: 1, documents: { [STABLE_COHORT]: document } },
      inputs: layers.map((layer) => ({
        ...{ address: layer.address, definitionVersion: 1, releaseVersion: 1, loweredAt: null },
      })),
    });
    const { text } = computeVariant(document, sha256);
    return `${head.hash} ${head.variant.hash} ${text}`;
  }

  function turned(value: JsonValue): JsonValue {
    if (Array.isArray(value)) return (value as JsonValue[]).map(turned);
    if (!isJsonObject(value)) return value;
    const members = Object.entries(value).reverse();
    return Object.fromEntries(members.map(([key, member]) => [key, turned(member)]));
  }

  it('has the same bytes and hashes in any order of arrival and of keys', () => {
    const arrivals = documents.chain((layers) => {
      const pairs = layers.map((document, index) => [CHAIN[index]!, document] as const);
      return fc.tuple(fc.constant(pairs), fc.shuffledSubarray(pairs, { minLength: pairs.length }));
    });
    fc.assert(
      fc.property(arrivals, ([inOrder, shuffled]) => {
        const other = shuffled.map(
          ([at, document]) => [at, turned(document) as JsonObject] as const,
        );
        expect(effective(other)).toBe(effective(inOrder));
      }),
      SOME,
    );
  });
});

describe('explain', () => {
  it('names for every place the last layer that speaks of it, and no other place', () => {
    fc.assert(
      fc.property(documents, (contents) => {
        const layers = layersOf(contents);
        const expected = [...places(mergeLayers(layers))].map(([pointer]) => {
          const { address, version, author } = layers.findLast(
            ({ document }) => saidAt(document, pointer) !== undefined,
          )!;
          return [pointer, { address, version, author }];
        });
        expect(explainLayers(layers)).toEqual(Object.fromEntries(expected));
      }),
      SOME,
    );
  });

  it('agrees with the merge: the layer named says just what is effective there', () => {
    fc.assert(
      fc.property(documents, (contents) => {
        const layers = layersOf(contents);
        const origins = explainLayers(layers) ?? {};
        for (const [pointer, value] of places(mergeLayers(layers))) {
          const { version } = origins[pointer]!;
          const said = saidAt(layers[version - 1]!.document, pointer);
          if (isJsonObject(value)) expect(isJsonObject(said)).toBe(true);
          else expect(said).toEqual(value);
        }
      }),
      SOME,
    );
  });
});
