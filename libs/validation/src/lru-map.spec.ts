import { describe, expect, it } from 'vitest';

import { LruMap } from './lru-map.js';

describe('LruMap', () => {
  it('drops what was used longest ago, by count', () => {
    const map = new LruMap<number>(2, 100);
    map.set('a', 1, 1);
    map.set('b', 2, 1);
    expect(map.get('a')).toBe(1);
    expect(map.set('c', 3, 1)).toEqual(['b']);
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([1, undefined, 3]);
  });

  it('drops by size, and keeps one that is too large alone', () => {
    const map = new LruMap<number>(10, 100);
    map.set('a', 1, 40);
    map.set('b', 2, 40);
    map.set('b', 3, 50);
    expect(map.count).toBe(2);
    expect(map.set('c', 4, 20)).toEqual(['a']);
    expect(map.set('d', 5, 500)).toEqual(['b', 'c']);
    expect(map.get('d')).toBe(5);
    map.delete('d');
    expect(map.set('e', 6, 100)).toEqual([]);
    expect(map.has('e')).toBe(true);
  });
});
