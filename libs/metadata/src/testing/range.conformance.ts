import { beforeAll, describe, expect, it } from 'vitest';
import type { RangeRequest, SortTarget } from '../state/index.js';
import type { OpenScene, Scene } from './conformance-scene.js';

/** What the keys of {@link rangeConformance} hold, by key: value, and the history they have. */
const KEYS = ['a=3', 'b/1=2', 'b/2=1', 'c=2'];

export function rangeConformance(scene: OpenScene): void {
  describe('ranges', () => {
    let s: Scene;

    // Revisions: 1 creates all but b/2, 2 creates b/2 and a temporary key, 3 rewrites a, 4 b/1.
    beforeAll(async () => {
      s = await scene();
      await s.done(s.put('a', '1'), s.put('b/1', '1'), s.put('c', '2'));
      await s.done(s.put('b/2', '1'), s.put('t', 't'));
      await s.done(s.put('a', '2'), s.remove('t'));
      await s.done(s.put('b/1', '2'));
      await s.done(s.put('a', '3'));
    });

    it('find a key, a prefix, those between two, from one on, and none', async () => {
      expect(await s.texts(s.get('a'))).toEqual(['a=3']);
      expect(await s.texts(s.get('b'))).toEqual([]);
      expect(await s.texts(s.keys('b/'))).toEqual(['b/1=2', 'b/2=1']);
      expect(await s.texts(s.between('b', 'c'))).toEqual(['b/1=2', 'b/2=1']);
      expect(await s.texts(s.keys())).toEqual(KEYS);
      expect(await s.texts(s.between('c', 'a'))).toEqual([]);
      expect(await s.texts(s.between('a', 'a'))).toEqual([]);
      const open = { key: s.key('b/2'), rangeEnd: Uint8Array.of(0) };
      expect(await s.texts({ ...open, maxModRevision: s.start + 5 })).toEqual(
        expect.arrayContaining(['b/2=1', 'c=2']),
      );
    });

    it('read the state at any revision', async () => {
      const at = (revisions: number) => s.texts({ ...s.keys(), revision: s.start + revisions });
      expect(await at(0)).toEqual([]);
      expect(await at(1)).toEqual(['a=1', 'b/1=1', 'c=2']);
      expect(await at(2)).toEqual(['a=1', 'b/1=1', 'b/2=1', 'c=2', 't=t']);
      expect(await at(3)).toEqual(['a=2', 'b/1=1', 'b/2=1', 'c=2']);
      expect(await at(5)).toEqual(KEYS);
      const one = await s.store.range({ ...s.get('a'), revision: s.start + 3 });
      expect(one).toMatchObject({
        ok: true,
        revision: s.start + 5,
        count: 1,
        kvs: [{ modRevision: s.start + 3, createRevision: s.start + 1, version: 2 }],
      });
      const future = await s.store.range({ ...s.keys(), revision: s.start + 6 });
      expect(future).toEqual({ ok: false, refusal: 'future-revision', revision: s.start + 5 });
    });

    it('stop at a limit, and say whether there is more', async () => {
      const limited = async (limit: number, request: Partial<RangeRequest> = {}) => {
        const { kvs, more, count } = await s.read({ ...s.keys(), ...request, limit });
        return [kvs.map(({ key }) => s.name(key)).join(), more, count];
      };
      expect(await limited(2)).toEqual(['a,b/1', true, 4]);
      expect(await limited(4)).toEqual(['a,b/1,b/2,c', false, 4]);
      expect(await limited(0)).toEqual(['a,b/1,b/2,c', false, 4]);
      expect(await limited(3, { revision: s.start + 2 })).toEqual(['a,b/1,b/2', true, 5]);
      expect(await limited(1, { sortOrder: 'descend' })).toEqual(['c', true, 4]);
      expect(await limited(2, { minModRevision: s.start + 4 })).toEqual(['a,b/1', false, 4]);
    });

    it('sort by every target, either way', async () => {
      const sorted = (sortTarget: SortTarget, sortOrder: 'ascend' | 'descend') =>
        s.texts({ ...s.keys(), sortTarget, sortOrder });
      expect(await sorted('key', 'ascend')).toEqual(KEYS);
      expect(await sorted('key', 'descend')).toEqual([...KEYS].reverse());
      expect(await sorted('mod', 'ascend')).toEqual(['c=2', 'b/2=1', 'b/1=2', 'a=3']);
      expect(await sorted('mod', 'descend')).toEqual(['a=3', 'b/1=2', 'b/2=1', 'c=2']);
      expect((await sorted('version', 'descend'))[0]).toBe('a=3');
      expect((await sorted('version', 'ascend')).slice(2)).toEqual(['b/1=2', 'a=3']);
      expect((await sorted('create', 'descend'))[0]).toBe('b/2=1');
      expect((await sorted('value', 'ascend'))[0]).toBe('b/2=1');
      expect((await sorted('value', 'descend'))[0]).toBe('a=3');
    });

    it('give keys only, or the count only', async () => {
      expect(await s.texts({ ...s.keys('b/'), keysOnly: true })).toEqual(['b/1=', 'b/2=']);
      const [kv] = (await s.read({ ...s.get('a'), keysOnly: true })).kvs;
      expect(kv).toMatchObject({ version: 3, modRevision: s.start + 5 });
      const counted = await s.read({ ...s.keys(), countOnly: true });
      expect(counted).toMatchObject({ kvs: [], more: false, count: 4 });
    });

    it('leave out what was made or changed outside of bounds, and count it', async () => {
      const found = async (request: Partial<RangeRequest>) => {
        const { kvs, count } = await s.read({ ...s.keys(), ...request });
        expect(count).toBe(4);
        return kvs.map(({ key }) => s.name(key));
      };
      expect(await found({ minModRevision: s.start + 4 })).toEqual(['a', 'b/1']);
      expect(await found({ maxModRevision: s.start + 2 })).toEqual(['b/2', 'c']);
      expect(await found({ minCreateRevision: s.start + 2 })).toEqual(['b/2']);
      expect(await found({ maxCreateRevision: s.start + 1 })).toEqual(['a', 'b/1', 'c']);
      const both = { minModRevision: s.start + 2, maxModRevision: s.start + 4 };
      expect(await found(both)).toEqual(['b/1', 'b/2']);
    });

    it('keep keys and values byte by byte, in the order of their bytes', async () => {
      const own = await scene();
      const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
      const keys = [bytes.slice(0, 1), bytes.slice(128, 130), bytes.slice(255), bytes];
      const rooted = keys.map((key) => Buffer.concat([own.key('bytes/'), key]));
      await own.done(...rooted.map((key) => ({ ...own.put(''), key, value: bytes })));
      const { kvs } = await own.read(own.keys('bytes/'));
      const order = [rooted[0], rooted[3], rooted[1], rooted[2]];
      expect(kvs.map(({ key }) => Buffer.from(key).toString('hex'))).toEqual(
        order.map((key) => key?.toString('hex')),
      );
      for (const { value } of kvs) expect(Buffer.from(value).equals(bytes)).toBe(true);
    });

    it('are refused without a key', async () => {
      const refused = await s.store.range({ key: new Uint8Array(0) });
      expect(refused).toMatchObject({ ok: false, refusal: 'empty-key' });
    });
  });
}
