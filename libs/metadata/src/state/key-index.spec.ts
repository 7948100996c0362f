import { seededRng } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { fromByteKey, prefixRange } from './byte-key.js';
import { KeyIndex } from './key-index.js';
import { KeyRecord } from './key-record.js';

describe('prefixes', () => {
  it.each([
    ['a', 'b'],
    ['a\u00ff', 'b'],
    ['\u00ff', '\0'],
    ['', '\0'],
  ])('of %j end before %j', (prefix, end) => {
    const { rangeEnd } = prefixRange(Buffer.from(prefix, 'latin1'));
    expect(Buffer.from(rangeEnd).toString('latin1')).toBe(end);
  });
});

describe('the index', () => {
  it('finds, orders and counts, over many keys put, deleted and removed', () => {
    const seed = 7;
    const rng = seededRng(seed);
    const index = new KeyIndex();
    const live = new Map<string, boolean>();
    for (let step = 0; step < 30_000; step += 1) {
      const name = `k${rng.below(4000)}`;
      const known = live.get(name);
      if (known === undefined) {
        const record = new KeyRecord(name, fromByteKey(name));
        index.insert(record);
        record.add({ ...blank, version: 1 });
        index.changeLive(name, 1);
        live.set(name, true);
      } else if (known) {
        index.get(name)?.add(blank);
        index.changeLive(name, -1);
        live.set(name, false);
      } else {
        index.remove(name);
        live.delete(name);
      }
      if (step % 1000 !== 0) continue;
      const [from, until] = [
        `k${rng.below(4000)}`,
        rng.below(3) === 0 ? null : `k${rng.below(4000)}`,
      ];
      const names = [...live.keys()].sort();
      const inside = names.filter((item) => item >= from && (until === null || item < until));
      const found: string[] = [];
      index.visit({ from, until }, ({ id }) => found.push(id) > 0);
      expect(found).toEqual(inside);
      const count = inside.filter((item) => live.get(item) === true).length;
      expect(index.countLive({ from, until })).toBe(count);
      expect(names.every((item) => index.get(item)?.id === item)).toBe(true);
      expect(index.get(`${from}x`)).toBeUndefined();
    }
  });
});

const blank = {
  key: new Uint8Array(0),
  value: new Uint8Array(0),
  createRevision: 1,
  modRevision: 1,
  version: 0,
  lease: 0n,
};
