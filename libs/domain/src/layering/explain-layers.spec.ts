import { address } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { explainLayers } from './explain-layers.js';
import type { Layer } from './layer.js';

const layer = (text: string, version: number, document: JsonObject): Layer => ({
  address: address(text).text,
  version,
  author: `${text}'s author`,
  document,
});
const origin = (text: string, version: number) => ({
  address: text,
  version,
  author: `${text}'s author`,
});

describe('explainLayers', () => {
  it('tells who set each leaf and each empty container', () => {
    const layers = [
      layer('acme', 3, { log: 'info', limits: { items: 10, rate: 1 }, tags: ['a', 'b'], off: {} }),
      layer('acme/prod', 1, { limits: { items: 50 }, gone: { $pawl: 'delete' }, 'a/b': [] }),
      layer('acme/prod/eu', 7, { log: null, tags: [{ x: [1] }] }),
    ];
    expect(explainLayers(layers)).toEqual({
      '/log': origin('acme/prod/eu', 7),
      '/limits/items': origin('acme/prod', 1),
      '/limits/rate': origin('acme', 3),
      '/tags/0/x/0': origin('acme/prod/eu', 7),
      '/off': origin('acme', 3),
      '/a~1b': origin('acme/prod', 1),
    });
  });

  it('names the layer that emptied or replaced an object', () => {
    const layers = [
      layer('acme', 1, { a: { x: 1 }, b: { x: 1, y: 1 }, c: { x: 1 } }),
      layer('acme/prod', 2, {
        a: { x: { $pawl: 'delete' } },
        b: { $pawl: 'replace', y: 2 },
        c: { $pawl: 'replace' },
      }),
    ];
    expect(explainLayers(layers)).toEqual({
      '/a': origin('acme/prod', 2),
      '/b/y': origin('acme/prod', 2),
      '/c': origin('acme/prod', 2),
    });
  });

  it('names the last layer for a document that is empty', () => {
    const layers = [layer('acme', 1, { a: 1 }), layer('acme/prod', 1, { $pawl: 'replace' })];
    expect(explainLayers(layers)).toEqual({ '': origin('acme/prod', 1) });
  });

  it('gives up where the pointers would be endless', () => {
    const inside = Object.fromEntries(Array.from({ length: 100 }, (_, leaf) => [`l${leaf}`, 1]));
    const layers = [layer('acme', 1, { ['k'.repeat(10_000)]: inside })];
    expect(explainLayers(layers, 500_000)).toBeUndefined();
    expect(Object.keys(explainLayers(layers) ?? {})).toHaveLength(100);
  });
});
