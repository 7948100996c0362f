import { beforeEach, describe, expect, it } from 'vitest';
import { CohortWorld, layer, reaching, staged } from '../testing/cohort-world.js';
import { ADDRESS, asReceived, makeSnapshot } from '../testing/make-snapshot.js';

let world: CohortWorld;

beforeEach(() => {
  world = new CohortWorld();
});

describe('a consumer', () => {
  it('runs the stable variant until its slot is known, then that of its cohort', () => {
    world.read(staged(1));
    expect(world.ran()).toEqual([[1, '', false]]);
    world.lease(1);
    expect(world.ran().slice(1)).toEqual([[1, 'r1', true]]);
    expect(world.applied.at(-1)).toMatchObject({ previous: 1, lowered: false });
    expect(world.applier.running).toMatchObject({
      ...{ version: 1, cohort: 'r1', inputs: [layer(2)] },
      identity: { workload: 'checkout', slot: 1, labels: {} },
    });
    expect(world.disk).toMatchObject({ head: world.applier.running, content: { absent: false } });
    world.read(staged(2));
    expect(world.ran().slice(2)).toEqual([[2, 'r1', true]]);
    expect(world.applier.behind).toBe(false);
  });

  it('leaves the cohort with the slot, and comes back with another one', () => {
    world.lease(1);
    world.read(staged(1));
    for (const slot of [2, null, 3]) world.lease(slot);
    expect(world.ran()).toEqual([
      ...[
        [1, 'r1', true],
        [1, '', false],
      ],
      [1, 'r1', true],
    ]);
    expect(world.applied.map(({ lowered }) => lowered)).toEqual([false, true, false]);
    expect(world.disk?.head).toMatchObject({ cohort: 'r1', identity: { slot: 3 } });
    expect(world.applier.rejected).toBeNull();
  });

  it('does nothing but note the slot where the cohort is the same', () => {
    world.lease(1);
    world.read(staged(1));
    const { reads } = world;
    world.lease(3);
    expect(world.reads).toBe(reads);
    expect(world.ran()).toHaveLength(1);
    expect(world.disk?.head).toMatchObject({ cohort: 'r1', identity: { slot: 3 } });
    expect(world.applier.running).toBe(world.disk?.head);
    expect(world.disk?.content.text).toBe('{"new":true,"version":1}');
    world.lease(3);
    expect(world.waiting).toEqual([]);
  });

  it('fetches the content of its cohort by hash', () => {
    const byHash = staged(1, { byHash: true });
    world.keep({ version: 1 });
    world.read(byHash);
    world.give({ kind: 'leased', slot: 1 });
    world.give({ kind: 'read', snapshot: asReceived(byHash) });
    expect(world.waiting).toMatchObject([
      { kind: 'fetch', version: 1, hash: byHash.variants['r1']?.hash },
    ]);
    world.keep({ version: 1, new: true });
    world.settle();
    expect(world.ran()).toEqual([
      [1, '', false],
      [1, 'r1', true],
    ]);
  });

  it('runs the variant of several releases at once, by their sorted ids', () => {
    const above = { address: 'acme', definitionVersion: 5, releaseVersion: 1, loweredAt: null };
    world.lease(1);
    world.read(
      staged(1, {
        inputs: [{ ...above, candidate: 6 }, layer(1, { candidate: 2 })],
        releases: ['r9', 'r1', 'R2'].map((id, at) =>
          reaching(id, ['acme', ADDRESS, 'acme/prod'][at]!, 1, at),
        ),
        cohorts: { 'R2+r1+r9': { all: true }, r9: { new: 'above' }, r1: {}, R2: { new: 'third' } },
      }),
    );
    expect(world.applied.map(({ document }) => document)).toEqual([{ all: true }]);
    expect(world.applier.running?.inputs).toEqual([{ ...above, definitionVersion: 6 }, layer(2)]);
    world.lease(0);
    expect(world.applied.at(-1)?.document).toEqual({ new: 'above' });
    world.lease(2);
    expect(world.applied.at(-1)).toMatchObject({ document: { new: 'third' }, lowered: true });
  });

  it('refuses a snapshot without the variant of its cohort, and stays', () => {
    world.lease(1);
    world.read(staged(1));
    world.read(staged(2, { cohorts: { toString: {} } }));
    expect(world.ran()).toHaveLength(1);
    expect(world.rejections).toMatchObject([
      { version: 2, cohort: 'r1', reason: 'the snapshot has no variant for cohort "r1"' },
    ]);
    world.lease(2);
    expect(world.ran().slice(1)).toEqual([
      [1, '', false],
      [2, '', false],
    ]);
    expect(world.applier.rejected).toBeNull();
  });

  it('refuses a layer lower than its candidate that does not say so', () => {
    world.lease(1);
    world.read(staged(1));
    world.read(makeSnapshot({ version: 2, inputs: [layer(1, { releaseVersion: 2 })] }));
    expect(world.rejections).toMatchObject([{ version: 2, cohort: '' }]);
    world.read(
      makeSnapshot({ version: 3, inputs: [layer(1, { releaseVersion: 2, loweredAt: 2 })] }),
    );
    expect(world.ran()).toEqual([
      [1, 'r1', true],
      [3, '', false],
    ]);
    expect(world.applied.at(-1)?.lowered).toBe(true);
  });

  it('stays where the variant of the other cohort is rejected, and tries that once', () => {
    world.refuses = (document) => ('new' in document ? 'too new' : null);
    world.read(staged(1));
    for (const slot of [1, 3]) world.lease(slot);
    world.read();
    expect(world.ran()).toEqual([[1, '', false]]);
    expect(world.rejections).toMatchObject([{ version: 1, cohort: 'r1', reason: 'too new' }]);
    expect(world.applier.behind).toBe(false);
    world.lease(2);
    expect(world.applier.running).toMatchObject({ cohort: '', identity: { slot: 2 } });
    world.read(staged(2, { releases: [], cohorts: {} }));
    expect(world.ran().slice(1)).toEqual([[2, '', false]]);
  });

  it('tells the rejection as what it is now', () => {
    world.read(staged(1));
    world.refuses = (_, of) => (of === 2 ? 'no twos' : null);
    world.read(staged(2));
    expect(world.applier.rejected).toMatchObject({ version: 2, cohort: '' });
    world.lease(1);
    expect(world.applier.rejected).toMatchObject({ version: 2, cohort: 'r1' });
  });

  it('tries the newest again, which it rejected as another cohort', () => {
    world.refuses = ({ version }, of) => (of === 2 && version === 2 ? 'no twos' : null);
    world.lease(1);
    world.read(staged(1));
    world.read(staged(2, { cohorts: { r1: { version: 2, new: 1 } } }));
    expect(world.rejections).toMatchObject([{ version: 2, cohort: 'r1' }]);
    world.refuses = () => null;
    world.read();
    expect(world.ran()).toHaveLength(1);
    world.lease(2);
    expect(world.ran().slice(1)).toEqual([
      [1, '', false],
      [2, '', false],
    ]);
  });

  it('tries the newest again that it rejected when nothing ran yet', () => {
    world.refuses = (document) => ('new' in document ? null : 'too old');
    world.read(staged(1));
    expect(world.rejections).toMatchObject([{ version: 1, cohort: '' }]);
    world.lease(1);
    expect(world.ran()).toEqual([[1, 'r1', true]]);
    expect(world.applier.behind).toBe(false);
  });

  it('tries the newest again also where its cohort is the same in what runs', () => {
    world.refuses = (document) => ('new' in document ? 'too new' : null);
    world.lease(1);
    world.read(staged(1, { releases: [], cohorts: {} }));
    world.read(staged(2));
    expect(world.rejections).toMatchObject([{ version: 2, cohort: 'r1' }]);
    world.lease(2);
    expect(world.ran()).toEqual([
      [1, '', false],
      [2, '', false],
    ]);
    expect(world.applier.rejected).toBeNull();
  });

  it('does not believe a damaged snapshot that it is the one that was rejected', () => {
    world.refuses = (document) => ('new' in document ? 'too new' : null);
    world.lease(1);
    world.read(staged(1, { releases: [], cohorts: {} }));
    world.read(staged(2));
    world.give({ kind: 'leased', slot: 2 });
    const releases = [reaching('r1', ADDRESS, 2)];
    world.give({ kind: 'read', snapshot: { ...asReceived(world.stream), releases } });
    expect(world.reports).toEqual(['hash-mismatch']);
    expect(world.applier.behind).toBe(true);
    world.read();
    expect(world.ran().slice(1)).toEqual([[2, '', false]]);
  });

  it('looks in vain so often for what was rejected and is not in the stream', () => {
    world.read(staged(1));
    world.refuses = () => 'no';
    world.give({ kind: 'pushed', snapshot: asReceived(staged(900)) });
    world.settle();
    world.give({ kind: 'leased', slot: 2 });
    for (let reads = 1; world.applier.behind; reads += 1) {
      expect(reads).toBeLessThan(20);
      world.read();
    }
    expect(world.reports).toEqual(['snapshot-missing']);
  });

  it('reads what it rejected again once something lower ran and that is named', () => {
    world.read(staged(1));
    world.refuses = (_, of) => (of === 3 ? 'no threes' : null);
    world.read(staged(3));
    const newest = world.stream;
    world.read(staged(2));
    world.refuses = () => null;
    const { reads } = world;
    world.give({ kind: 'named', point: newest, hash: newest.hash });
    expect(world.reads).toBe(reads + 1);
    world.read(newest);
    expect(world.ran().slice(2)).toEqual([[3, '', false]]);
  });

  it('leaves its cohort in what it runs also while it rejects all of the newest', () => {
    world.refuses = (_, of) => (of === 2 ? 'no twos' : null);
    world.lease(1);
    world.read(staged(1));
    world.read(staged(2));
    world.give({ kind: 'pushed', snapshot: asReceived(staged(3)) });
    world.refuses = (_, of) => (of > 1 ? 'too new' : null);
    world.give({ kind: 'leased', slot: 2 });
    world.settle();
    world.read(staged(3));
    expect(world.ran()).toEqual([
      [1, 'r1', true],
      [1, '', false],
    ]);
    expect(world.applier.rejected).toMatchObject({ version: 3, cohort: '', reason: 'too new' });
    expect(world.rejections).toHaveLength(2);
    expect(world.applier.behind).toBe(false);
  });
});

describe('a slot that changes', () => {
  it.each([
    ['validate', 0],
    ['store', 1],
  ])('while that has to %s lets nothing of the cohort left be run', (kind, answers) => {
    world.lease(2);
    world.read(staged(1));
    world.give({ kind: 'leased', slot: 1 });
    world.give({ kind: 'pushed', snapshot: asReceived(staged(2)) });
    for (let answered = 0; answered < answers; answered += 1) world.answer(0);
    expect(world.waiting).toMatchObject([{ kind }]);
    world.give({ kind: 'leased', slot: 2 });
    world.settle();
    expect(world.ran()).toEqual([
      [1, '', false],
      [2, '', false],
    ]);
    expect(world.disk?.head).toMatchObject({ version: 2, cohort: '', identity: { slot: 2 } });
  });

  it('while a content is fetched fetches the other one at once', () => {
    world.lease(1);
    const byHash = staged(1, { byHash: true });
    world.give({ kind: 'pushed', snapshot: asReceived(byHash) });
    world.give({ kind: 'leased', slot: 2 });
    expect(world.waiting).toMatchObject([
      { kind: 'fetch', hash: byHash.variants['r1']?.hash },
      { kind: 'fetch', hash: byHash.variants['']?.hash },
    ]);
    world.keep({ version: 1 });
    world.keep({ version: 1, new: true });
    world.settle();
    expect(world.ran()).toEqual([[1, '', false]]);
  });

  it('and back again ends where it began', () => {
    world.lease(1);
    world.read(staged(1));
    world.give({ kind: 'leased', slot: 2 });
    world.give({ kind: 'read', snapshot: asReceived(world.stream) });
    expect(world.waiting).toMatchObject([{ kind: 'validate' }]);
    world.lease(1);
    expect(world.ran()).toEqual([[1, 'r1', true]]);
    expect(world.disk?.head.cohort).toBe('r1');
  });

  it('does not write a record of what ran over that of what is to run', () => {
    world.lease(1);
    world.read(staged(1));
    world.give({ kind: 'pushed', snapshot: asReceived(staged(2)) });
    world.answer(0);
    world.give({ kind: 'leased', slot: 3 });
    expect(world.waiting).toMatchObject([{ kind: 'store', record: { head: { version: 2 } } }]);
    world.settle();
    expect(world.disk?.head).toMatchObject({ version: 2, identity: { slot: 3 } });
    expect(world.ran()).toHaveLength(2);
  });

  it('needs no network for a content that the snapshot carries', () => {
    world.read(staged(1));
    const { reads } = world;
    world.give({ kind: 'leased', slot: 1 });
    world.settle();
    expect(world.reads).toBe(reads);
    expect(world.applier.behind).toBe(false);
    expect(world.ran().slice(1)).toEqual([[1, 'r1', true]]);
  });

  it('has the stream read until that shows the newest, which was rejected as another cohort', () => {
    world.refuses = (_, version) => (version === 2 ? 'no twos' : null);
    world.read(staged(1));
    const old = world.stream;
    world.read(staged(2));
    world.refuses = () => null;
    world.give({ kind: 'leased', slot: 1 });
    world.give({ kind: 'read', snapshot: asReceived(old) });
    world.settle();
    expect(world.applier.behind).toBe(true);
    world.read();
    expect(world.applier.behind).toBe(false);
    expect(world.ran()).toEqual([
      [1, '', false],
      [1, 'r1', true],
      [2, 'r1', true],
    ]);
  });

  it('and back again tells the rejection as what it is now', () => {
    world.refuses = (_, version) => (version === 2 ? 'no twos' : null);
    world.read(staged(1));
    world.read(staged(2));
    for (const slot of [1, 2]) world.lease(slot);
    expect(world.rejections).toMatchObject([{ cohort: '' }, { cohort: 'r1' }]);
    expect(world.applier.rejected).toMatchObject({ version: 2, cohort: '' });
  });

  it('and back again does not try again what was rejected before', () => {
    world.read(staged(1));
    const byHash = staged(3, { byHash: true });
    world.refuses = (_, version) => (version === 3 ? 'no threes' : null);
    world.keep({ version: 3 });
    world.read(byHash);
    expect(world.rejections).toHaveLength(1);
    world.lease(1);
    expect(world.ran().slice(1)).toEqual([[1, 'r1', true]]);
    world.lease(2);
    expect(world.ran().slice(2)).toEqual([[1, '', false]]);
    expect(world.rejections).toHaveLength(1);
    expect(world.applier.rejected).toMatchObject({ version: 3, cohort: '' });
  });
});
