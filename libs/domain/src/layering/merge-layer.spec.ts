import type { JsonObject } from '@pawl/contracts';
import { expect, it } from 'vitest';
import { mergeLayer, NOTHING_MERGED } from './merge-layer.js';

const SCHEMA = { hash: 's', schema: true };

const document = (value: JsonObject) => ({
  document: { hash: '', text: '', value },
  schema: null,
});
const abstract = { document: null, schema: SCHEMA };

function through(...layers: Parameters<typeof mergeLayer>[1][]) {
  return layers.reduce(mergeLayer, NOTHING_MERGED);
}

it('reads nothing at an abstract layer, nor below it before a document comes', () => {
  expect(through(abstract)).toEqual({ effective: null, handedDown: null });
  const below = through(document({ a: 1 }), abstract);
  expect(below).toEqual({ effective: null, handedDown: { a: 1 } });
  expect(mergeLayer(below, null)).toEqual(below);
  expect(mergeLayer(below, abstract)).toEqual(below);
});

it('builds on the documents above an abstract layer as if it were not there', () => {
  const merged = { a: 1, b: 2 };
  const expected = { effective: merged, handedDown: merged };
  expect(through(document({ a: 1 }), abstract, null, document({ b: 2 }))).toEqual(expected);
  expect(through(document({ a: 1 }), document({ b: 2 }))).toEqual(expected);
  expect(through(abstract, document({}))).toEqual({ effective: {}, handedDown: {} });
});

it('takes what contributes neither document nor schema for nothing', () => {
  const above = through(document({ a: 1 }));
  expect(mergeLayer(above, null)).toBe(above);
  expect(mergeLayer(above, { document: null, schema: null })).toBe(above);
});
