import { describe, expect, it } from 'vitest';
import { bytes } from './conformance-scene.js';
import type { OpenScene } from './conformance-scene.js';

const UNKNOWN = 4_711_000n;

export function leaseConformance(scene: OpenScene): void {
  describe('leases', () => {
    it('live at least as long as was asked for, under ids that differ', async () => {
      const s = await scene();
      const [first, second] = [await s.store.grantLease(60_000), await s.store.grantLease(60_500)];
      if (!first.ok || !second.ok) throw new Error('refused');
      expect(first.id).not.toBe(second.id);
      expect(first.id).not.toBe(0n);
      expect(first.ttlMs).toBe(60_000);
      expect(second.ttlMs).toBeGreaterThanOrEqual(60_500);
      const { id, ttlMs } = second;
      expect(await s.store.keepAlive(id)).toEqual({ ok: true, id, ttlMs });
    });

    it('take an id that is free, and only that', async () => {
      const s = await scene();
      const id = 4711n;
      expect(await s.store.grantLease(60_000, id)).toMatchObject({ ok: true, id });
      const again = await s.store.grantLease(60_000, id);
      expect(again).toEqual({ ok: false, refusal: 'lease-exists', revision: s.start });
      await s.store.revokeLease(id);
      expect(await s.store.grantLease(60_000, id)).toMatchObject({ ok: true, id });
    });

    it('are refused a time that is none, or beyond etcd’s', async () => {
      const s = await scene();
      const refused = { ok: false, refusal: 'ttl-out-of-range' };
      expect(await s.store.grantLease(0)).toMatchObject(refused);
      expect(await s.store.grantLease(9_000_000_001_000)).toMatchObject(refused);
    });

    it('are refused where they do not live', async () => {
      const s = await scene();
      const refused = { ok: false, refusal: 'lease-not-found', revision: s.start };
      expect(await s.store.keepAlive(UNKNOWN)).toEqual(refused);
      expect(await s.store.revokeLease(UNKNOWN)).toEqual(refused);
      expect(await s.write(s.put('k', '', { lease: UNKNOWN }))).toEqual(refused);
    });

    it('delete their keys in one revision when they are revoked', async () => {
      const s = await scene();
      const lease = await s.lease();
      await s.done(s.put('b', '2', { lease }), s.put('a', '1', { lease }), s.put('c', '3'));
      const watch = s.store.watch({ ...s.keys(), fromRevision: s.start + 2 });
      expect(await s.store.revokeLease(lease)).toEqual({ ok: true, revision: s.start + 2 });
      const told = await s.told(watch, 1);
      expect(told).toEqual(['+2 delete a= (was 1), delete b= (was 2)']);
      expect(await s.texts(s.keys())).toEqual(['c=3']);
      expect(await s.store.revokeLease(lease)).toMatchObject({ refusal: 'lease-not-found' });
      expect(await s.store.keepAlive(lease)).toMatchObject({ refusal: 'lease-not-found' });
      watch.close();
    });

    it('change nothing when they end without keys', async () => {
      const s = await scene();
      const lease = await s.lease();
      expect(await s.store.revokeLease(lease)).toEqual({ ok: true, revision: s.start });
    });

    it('hold a key until it is put under another, under none, or deleted', async () => {
      const s = await scene();
      const [first, second] = [await s.lease(), await s.lease()];
      const under = (name: string) => s.put(name, 'v', { lease: first });
      await s.done(...['kept', 'moved', 'freed', 'deleted', 'again'].map(under));
      await s.done(s.put('moved', 'v', { lease: second }), s.put('freed', 'v'));
      await s.done(s.remove('deleted'), s.remove('again'));
      await s.done(s.put('deleted', 'new'), s.put('again', 'new', { lease: first }));
      await s.done(s.put('kept', 'w', { ignoreLease: true }));
      await s.store.revokeLease(first);
      expect(await s.texts(s.keys())).toEqual(['deleted=new', 'freed=v', 'moved=v']);
      await s.store.revokeLease(second);
      expect(await s.texts(s.keys())).toEqual(['deleted=new', 'freed=v']);
    });

    it('end when they are not renewed, and not before', async () => {
      const s = await scene();
      const [dying, kept] = [await s.store.grantLease(1000), await s.store.grantLease(2000)];
      if (!dying.ok || !kept.ok) throw new Error('refused');
      await s.done(
        s.put('dying', 'v', { lease: dying.id }),
        s.put('kept', 'v', { lease: kept.id }),
      );
      const watch = s.store.watch({ ...s.keys(), fromRevision: s.start + 2 });
      const gone = s.told(watch, 1);
      const renewals = setInterval(() => void s.store.keepAlive(kept.id), 200);
      expect(await gone).toEqual(['+2 delete dying= (was v)']);
      clearInterval(renewals);
      expect(await s.store.keepAlive(kept.id)).toEqual({ ok: true, id: kept.id, ttlMs: 2000 });
      expect(await s.texts(s.keys())).toEqual(['kept=v']);
      expect(await s.store.keepAlive(dying.id)).toMatchObject({ refusal: 'lease-not-found' });
      watch.close();
      // Later tests count revisions.
      await s.store.revokeLease(kept.id);
    });

    it('are renewed for their full time, many at once, each for itself', async () => {
      const s = await scene();
      const ids = await Promise.all(Array.from({ length: 20 }, () => s.lease()));
      const asked = [...ids, UNKNOWN];
      const answers = await Promise.all(asked.map((id) => s.store.keepAlive(id)));
      expect(answers.slice(0, 20)).toEqual(ids.map((id) => ({ ok: true, id, ttlMs: 60_000 })));
      expect(answers[20]).toMatchObject({ refusal: 'lease-not-found' });
    });

    it('tell a key which it is under', async () => {
      const s = await scene();
      const lease = await s.lease();
      await s.done(s.put('k', 'v', { lease }));
      expect((await s.read(s.get('k'))).kvs).toMatchObject([{ lease, value: bytes('v') }]);
    });
  });
}
