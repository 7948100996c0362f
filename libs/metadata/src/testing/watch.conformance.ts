import { describe, expect, it } from 'vitest';
import type { MetadataWatch } from '../metadata-store.port.js';
import { WatchCompactedError } from '../metadata-store.port.js';
import type { Revision } from '../state/index.js';
import type { OpenScene, Scene } from './conformance-scene.js';

/** More than a store keeps for a reader that does not read. */
const MANY = 600;
const AT_ONCE = 50;

/** Puts one key many times, each time in a revision of its own. */
async function putMany(s: Scene, name: string): Promise<void> {
  for (let at = 0; at < MANY; at += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => s.done(s.put(name))));
  }
}

/** Revisions that a watch tells until it fails, and the error. */
async function readAll(s: Scene, watch: MetadataWatch): Promise<[number[], unknown]> {
  const revisions: number[] = [];
  try {
    for await (const { revision } of watch) revisions.push(s.since(revision));
    return [revisions, null];
  } catch (error) {
    return [revisions, error];
  }
}

const upTo = (revisions: number) => Array.from({ length: revisions }, (_, at) => at + 1);

export function watchConformance(scene: OpenScene): void {
  describe('watches', () => {
    const from = (s: Scene, revisions: number): Revision => s.start + revisions;

    it('tell everything from a revision on, in order, each revision whole', async () => {
      const s = await scene();
      await s.done(s.put('a/1', 'x'));
      await s.done(s.put('b', 'x'));
      const watch = s.store.watch({ ...s.keys('a/'), fromRevision: from(s, 1) });
      await s.done(s.put('a/2', 'y'), s.put('b', 'y'), s.put('a/1', 'y'));
      await s.done(s.remove('a/1'));
      await s.done(s.remove('a/1'));
      expect(await s.told(watch, 3)).toEqual([
        '+1 put a/1=x',
        '+3 put a/2=y, put a/1=y (was x)',
        '+4 delete a/1= (was y)',
      ]);
      const waiting = s.told(watch, 1);
      await s.done(s.put('a/3', 'z'));
      expect(await waiting).toEqual(['+5 put a/3=z']);
      watch.close();
    });

    it('begin with the next change when no revision is given', async () => {
      const s = await scene();
      await s.done(s.put('a', '1'));
      const watch = s.store.watch({ key: s.key('a') });
      const next = s.told(watch, 1);
      await s.done(s.put('a', '2'));
      expect(await next).toEqual(['+2 put a=2 (was 1)']);
      watch.close();
    });

    it('are of a key, of those between two, and of all from one on', async () => {
      const s = await scene();
      const fromRevision = from(s, 1);
      const watches = [
        s.store.watch({ key: s.key('b'), fromRevision }),
        s.store.watch({ ...s.between('b', 'd'), fromRevision }),
        s.store.watch({ key: s.key('c'), rangeEnd: Uint8Array.of(0), fromRevision }),
        s.store.watch({ ...s.between('d', 'b'), fromRevision }),
      ];
      const told = Promise.all(watches.slice(0, 3).map((watch) => s.told(watch, 1)));
      await s.done(...['a', 'b', 'c', 'd'].map((name) => s.put(name)));
      expect(await told).toEqual([['+1 put b='], ['+1 put b=, put c='], ['+1 put c=, put d=']]);
      for (const watch of watches) watch.close();
    });

    it('wait for a revision that is yet to come', async () => {
      const s = await scene();
      const watch = s.store.watch({ ...s.keys(), fromRevision: from(s, 3) });
      const next = s.told(watch, 1);
      for (const value of ['1', '2', '3']) await s.done(s.put('k', value));
      expect(await next).toEqual(['+3 put k=3 (was 2)']);
      watch.close();
    });

    it('tell what was there before, and what a transaction did to one key', async () => {
      const s = await scene();
      const watch = s.store.watch({ ...s.keys(), fromRevision: from(s, 1) });
      await s.done(s.put('k', '1'));
      await s.done(s.remove('k'));
      await s.done(s.put('k', '2'));
      expect(await s.told(watch, 3)).toEqual(['+1 put k=1', '+2 delete k= (was 1)', '+3 put k=2']);
      watch.close();
    });

    it('lose nothing while nobody reads them, whatever others read', async () => {
      const s = await scene();
      const slow = s.store.watch({ ...s.keys(), fromRevision: from(s, 1) });
      const busy = s.store.watch({ ...s.keys(), fromRevision: from(s, 1) });
      const reading = s.told(busy, MANY);
      await putMany(s, 'k');
      expect(await reading).toHaveLength(MANY);
      const revisions = (await s.told(slow, MANY)).map((line) => Number(/\d+/.exec(line)?.[0]));
      expect(revisions).toEqual(upTo(MANY));
      slow.close();
      busy.close();
    });

    it('that are behind a compaction say so, after a part without a gap', async () => {
      const s = await scene();
      const watch = s.store.watch({ ...s.keys(), fromRevision: from(s, 1) });
      await putMany(s, 'k');
      await s.store.compact(from(s, MANY));
      const [revisions, error] = await readAll(s, watch);
      expect(error).toEqual(new WatchCompactedError(from(s, MANY)));
      expect(revisions.length).toBeLessThan(MANY);
      expect(revisions).toEqual(upTo(revisions.length));
    });

    it('that keep up go on through compactions', async () => {
      const s = await scene();
      const watch = s.store.watch({ ...s.keys(), fromRevision: from(s, 1) });
      for (const round of [1, 2, 3]) {
        await s.done(s.put('k', `${round}`));
        expect(await s.told(watch, 1)).toHaveLength(1);
        await s.store.compact(from(s, round));
      }
      watch.close();
    });

    it('end when they are closed: who waits, and who asks later', async () => {
      const s = await scene();
      const watch = s.store.watch({ ...s.keys(), fromRevision: from(s, 1) });
      const waiting = s.told(watch, 1);
      watch.close();
      expect(await waiting).toEqual(['end']);
      await s.done(s.put('k'));
      expect(await s.told(watch, 1)).toEqual(['end']);
      const left = s.store.watch({ ...s.keys(), fromRevision: from(s, 1) });
      for await (const { revision } of left) {
        expect(s.since(revision)).toBe(1);
        break;
      }
      expect(await s.told(left, 1)).toEqual(['end']);
    });

    it('are many at once, each told its own', async () => {
      const s = await scene();
      const names = Array.from({ length: 100 }, (_, at) => `k${at}`);
      const watches = names.map((name) =>
        s.store.watch({ key: s.key(name), fromRevision: from(s, 1) }),
      );
      const told = Promise.all(watches.map((watch) => s.told(watch, 1)));
      await Promise.all(names.map((name) => s.done(s.put(name, 'v'))));
      const lines = (await told).map(([line = '']) => line.replace(/^\+\d+ /, ''));
      expect(lines).toEqual(names.map((name) => `put ${name}=v`));
      for (const watch of watches) watch.close();
    });
  });
}
