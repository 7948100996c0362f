import { describe, expect, it } from 'vitest';
import { WatchCompactedError } from '../metadata-store.port.js';
import type { OpenScene } from './conformance-scene.js';

export function compactionConformance(scene: OpenScene): void {
  describe('compaction', () => {
    it('keeps the state at its revision, and refuses what was before it', async () => {
      const s = await scene();
      for (const value of ['1', '2', '3']) await s.done(s.put('a', value));
      expect(await s.store.compact(s.start + 2)).toEqual({ ok: true, revision: s.start + 3 });
      const at = (revision: number) => s.store.range({ ...s.keys(), revision });
      expect(await at(s.start + 1)).toMatchObject({ ok: false, refusal: 'compacted' });
      expect(await at(s.start + 2)).toMatchObject({ ok: true, count: 1 });
      expect(await s.texts({ ...s.keys(), revision: s.start + 2 })).toEqual(['a=2']);
      expect(await s.texts(s.keys())).toEqual(['a=3']);
      const inside = await s.write(s.put('b'), { ...s.get('a'), revision: s.start + 1 });
      expect(inside).toEqual({ ok: false, refusal: 'compacted', revision: s.start + 3 });
      const { compactRevision } = await s.store.status();
      expect(compactRevision).toBe(s.start + 2);
    });

    it('goes forward only, and not beyond what was written', async () => {
      const s = await scene();
      await s.done(s.put('a'));
      await s.done(s.put('a'));
      expect(await s.store.compact(s.start + 1)).toMatchObject({ ok: true });
      const revision = s.start + 2;
      for (const gone of [s.start + 1, s.start]) {
        const refused = await s.store.compact(gone);
        expect(refused).toEqual({ ok: false, refusal: 'compacted', revision });
      }
      const refused = await s.store.compact(s.start + 3);
      expect(refused).toEqual({ ok: false, refusal: 'future-revision', revision });
      expect(await s.store.compact(revision)).toMatchObject({ ok: true, revision });
      const { compactRevision } = await s.store.status();
      expect(compactRevision).toBe(revision);
    });

    it('ends watches from before it, and lets those from it begin there', async () => {
      const s = await scene();
      for (const value of ['1', '2', '3']) await s.done(s.put('a', value));
      await s.store.compact(s.start + 2);
      const late = s.store.watch({ ...s.keys(), fromRevision: s.start + 1 });
      await expect(s.told(late, 1)).rejects.toEqual(new WatchCompactedError(s.start + 2));
      const kept = s.store.watch({ ...s.keys(), fromRevision: s.start + 2 });
      // What was there before it is not kept.
      expect(await s.told(kept, 2)).toEqual(['+2 put a=2', '+3 put a=3 (was 2)']);
      kept.close();
    });

    it('keeps keys that were not changed since, and what they are', async () => {
      const s = await scene();
      const lease = await s.lease();
      await s.done(s.put('old', 'v', { lease }));
      await s.done(s.put('old', 'w', { lease }));
      await s.done(s.put('gone'));
      await s.done(s.remove('gone'));
      const before = await s.read(s.keys());
      await s.store.compact(s.start + 4);
      expect(await s.read(s.keys())).toEqual(before);
      expect(before.kvs).toMatchObject([{ version: 2, createRevision: s.start + 1, lease }]);
      await s.store.revokeLease(lease);
      expect(await s.texts(s.keys())).toEqual([]);
    });
  });
}
