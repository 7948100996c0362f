import type { SnapshotInput } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { ApplierWorld } from '../testing/applier-world.js';
import { ADDRESS, asReceived, makeRelease, makeSnapshot } from '../testing/make-snapshot.js';
import type { SnapshotRecipe } from '../testing/make-snapshot.js';

const reaching = (id: string, address: string, ...slots: number[]) => {
  const named = slots.map((slot) => `checkout/${slot}`);
  return makeRelease(id, 0, { address, stages: [{ basisPoints: 0, named }] });
};
const layer = (definitionVersion: number, extra: Partial<SnapshotInput> = {}): SnapshotInput => ({
  ...{ address: ADDRESS, definitionVersion, releaseVersion: 1, loweredAt: null },
  ...extra,
});
/** Slots 1 and 3 are candidates. */
const staged = (version: number, change: Partial<SnapshotRecipe> = {}) =>
  makeSnapshot({
    ...{ version, inputs: [layer(1, { candidate: 2 })] },
    ...{ releases: [reaching('r1', ADDRESS, 1, 3)] },
    ...{ document: { version }, cohorts: { r1: { version, new: true } } },
    ...change,
  });

let world: ApplierWorld;
let stream: ReturnType<typeof staged>;

/** What the stream holds from now on, and is read. */
const read = (snapshot = stream) => {
  stream = snapshot;
  world.give({ kind: 'read', snapshot: asReceived(snapshot) });
  world.settle();
};
const lease = (slot: number | null) => {
  const before = world.reads;
  world.give({ kind: 'leased', slot });
  world.settle();
  if (world.reads > before) read();
};
const ran = () =>
  world.applied.map(({ head, document }) => [head.version, head.cohort, 'new' in document!]);
const last = () => world.applied.at(-1);

beforeEach(() => {
  world = new ApplierWorld();
});

describe('a consumer', () => {
  it('runs the stable variant until its slot is known, then that of its cohort', () => {
    read(staged(1));
    expect(ran()).toEqual([[1, '', false]]);
    lease(1);
    expect(ran().slice(1)).toEqual([[1, 'r1', true]]);
    expect(last()).toMatchObject({ previous: 1, lowered: false });
    expect(world.applier.running).toMatchObject({
      ...{ version: 1, cohort: 'r1', inputs: [layer(2)] },
      identity: { workload: 'checkout', slot: 1, labels: {} },
    });
    expect(world.disk).toMatchObject({ head: world.applier.running, content: { absent: false } });
    read(staged(2));
    expect(ran().slice(2)).toEqual([[2, 'r1', true]]);
    expect(world.applier.behind).toBe(false);
  });

  it('leaves the cohort with the slot, and comes back with another one', () => {
    lease(1);
    read(staged(1));
    for (const slot of [2, null, 3]) lease(slot);
    expect(ran()).toEqual([
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
    lease(1);
    read(staged(1));
    const { reads } = world;
    lease(3);
    expect(world.reads).toBe(reads);
    expect(ran()).toHaveLength(1);
    expect(world.disk?.head).toMatchObject({ cohort: 'r1', identity: { slot: 3 } });
    expect(world.applier.running).toBe(world.disk?.head);
    expect(world.disk?.content.text).toBe('{"new":true,"version":1}');
    lease(3);
    expect(world.waiting).toEqual([]);
  });

  it('fetches the content of its cohort by hash', () => {
    const byHash = staged(1, { byHash: true });
    world.keep({ version: 1 });
    read(byHash);
    world.give({ kind: 'leased', slot: 1 });
    world.give({ kind: 'read', snapshot: asReceived(byHash) });
    expect(world.waiting).toMatchObject([
      { kind: 'fetch', version: 1, hash: byHash.variants['r1']?.hash },
    ]);
    world.keep({ version: 1, new: true });
    world.settle();
    expect(ran()).toEqual([
      [1, '', false],
      [1, 'r1', true],
    ]);
  });

  it('runs the variant of several releases at once, by their sorted ids', () => {
    const above = { address: 'acme', definitionVersion: 5, releaseVersion: 1, loweredAt: null };
    lease(1);
    read(
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
    lease(0);
    expect(last()?.document).toEqual({ new: 'above' });
    lease(2);
    expect(last()).toMatchObject({ document: { new: 'third' }, lowered: true });
  });

  it('refuses a snapshot without the variant of its cohort, and stays', () => {
    lease(1);
    read(staged(1));
    read(staged(2, { cohorts: { toString: {} } }));
    expect(ran()).toHaveLength(1);
    expect(world.rejections).toMatchObject([
      { version: 2, cohort: 'r1', reason: 'the snapshot has no variant for cohort "r1"' },
    ]);
    lease(2);
    expect(ran().slice(1)).toEqual([[2, '', false]]);
    expect(world.applier.rejected).toBeNull();
  });

  it('refuses a layer lower than its candidate that does not say so', () => {
    lease(1);
    read(staged(1));
    read(makeSnapshot({ version: 2, inputs: [layer(1, { releaseVersion: 2 })] }));
    expect(world.rejections).toMatchObject([{ version: 2, cohort: '' }]);
    read(makeSnapshot({ version: 3, inputs: [layer(1, { releaseVersion: 2, loweredAt: 2 })] }));
    expect(ran()).toEqual([
      [1, 'r1', true],
      [3, '', false],
    ]);
    expect(last()?.lowered).toBe(true);
  });

  it('stays where the variant of the other cohort is rejected, and tries that once', () => {
    world.refuses = (document) => ('new' in document ? 'too new' : null);
    read(staged(1));
    for (const slot of [1, 3]) lease(slot);
    read();
    expect(ran()).toEqual([[1, '', false]]);
    expect(world.rejections).toMatchObject([{ version: 1, cohort: 'r1', reason: 'too new' }]);
    expect(world.applier.behind).toBe(false);
    lease(2);
    expect(world.applier.running).toMatchObject({ cohort: '', identity: { slot: 2 } });
    read(staged(2, { releases: [], cohorts: {} }));
    expect(ran().slice(1)).toEqual([[2, '', false]]);
  });

  it('tries the newest again, which it rejected as another cohort', () => {
    world.refuses = ({ version }, of) => (of === 2 && version === 2 ? 'no twos' : null);
    lease(1);
    read(staged(1));
    read(staged(2, { cohorts: { r1: { version: 2, new: 1 } } }));
    expect(world.rejections).toMatchObject([{ version: 2, cohort: 'r1' }]);
    world.refuses = () => null;
    read();
    expect(ran()).toHaveLength(1);
    lease(2);
    expect(ran().slice(1)).toEqual([[2, '', false]]);
  });
});

describe('a slot that changes', () => {
  it.each([
    ['validate', 0],
    ['store', 1],
  ])('while that has to %s lets nothing of the cohort left be run', (kind, answers) => {
    lease(2);
    read(staged(1));
    world.give({ kind: 'leased', slot: 1 });
    world.give({ kind: 'pushed', snapshot: asReceived(staged(2)) });
    for (let answered = 0; answered < answers; answered += 1) world.answer(0);
    expect(world.waiting).toMatchObject([{ kind }]);
    world.give({ kind: 'leased', slot: 2 });
    world.settle();
    expect(ran()).toEqual([
      [1, '', false],
      [2, '', false],
    ]);
    expect(world.disk?.head).toMatchObject({ version: 2, cohort: '', identity: { slot: 2 } });
  });

  it('while a content is fetched fetches the other one at once', () => {
    lease(1);
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
    expect(ran()).toEqual([[1, '', false]]);
  });

  it('and back again ends where it began', () => {
    lease(1);
    read(staged(1));
    world.give({ kind: 'leased', slot: 2 });
    world.give({ kind: 'read', snapshot: asReceived(stream) });
    expect(world.waiting).toMatchObject([{ kind: 'validate' }]);
    lease(1);
    expect(ran()).toEqual([[1, 'r1', true]]);
    expect(world.disk?.head.cohort).toBe('r1');
  });

  it('does not write a record of what ran over that of what is to run', () => {
    lease(1);
    read(staged(1));
    world.give({ kind: 'pushed', snapshot: asReceived(staged(2)) });
    world.answer(0);
    world.give({ kind: 'leased', slot: 3 });
    expect(world.waiting).toMatchObject([{ kind: 'store', record: { head: { version: 2 } } }]);
    world.settle();
    expect(world.disk?.head).toMatchObject({ version: 2, identity: { slot: 3 } });
    expect(ran()).toHaveLength(2);
  });

  it('has the stream read until that shows what runs', () => {
    read(staged(1));
    const old = stream;
    read(staged(2));
    world.give({ kind: 'leased', slot: 1 });
    for (const snapshot of [null, old, null]) {
      world.give({ kind: 'read', snapshot });
      expect(world.applier.behind).toBe(true);
    }
    expect(ran()).toHaveLength(2);
    read();
    expect(world.applier.behind).toBe(false);
    expect(ran().slice(2)).toEqual([[2, 'r1', true]]);
  });

  it('has it read until that shows the newest, also if that was rejected as another cohort', () => {
    world.refuses = (_, version) => (version === 2 ? 'no twos' : null);
    read(staged(1));
    const old = stream;
    read(staged(2));
    world.refuses = () => null;
    world.give({ kind: 'leased', slot: 1 });
    world.give({ kind: 'read', snapshot: asReceived(old) });
    world.settle();
    expect(world.applier.behind).toBe(true);
    read();
    expect(world.applier.behind).toBe(false);
    expect(ran()).toEqual([
      [1, '', false],
      [1, 'r1', true],
      [2, 'r1', true],
    ]);
  });

  it('and back again does not try again what was rejected before', () => {
    read(staged(1));
    const byHash = staged(3, { byHash: true });
    world.refuses = (_, version) => (version === 3 ? 'no threes' : null);
    world.keep({ version: 3 });
    read(byHash);
    expect(world.rejections).toHaveLength(1);
    world.give({ kind: 'leased', slot: 1 });
    world.give({ kind: 'read', snapshot: asReceived(byHash) });
    expect(world.waiting).toMatchObject([{ kind: 'fetch', version: 3 }]);
    lease(2);
    expect(world.rejections).toHaveLength(1);
    expect(ran()).toEqual([[1, '', false]]);
  });

  it('does not take a damaged variant', () => {
    read(staged(1));
    world.give({ kind: 'leased', slot: 1 });
    const damaged = asReceived(stream);
    Object.assign(damaged.variants['r1']!.inline!, { new: false });
    world.give({ kind: 'read', snapshot: damaged });
    world.settle();
    expect(world.reports).toEqual(['hash-mismatch']);
    expect(world.applier.behind).toBe(true);
    read();
    expect(ran()).toEqual([
      [1, '', false],
      [1, 'r1', true],
    ]);
  });
});

describe('a consumer that starts again', () => {
  const restart = () => {
    lease(1);
    read(staged(1));
    world.restart();
  };

  it('runs the variant that it ran, and judges the next by the slot it had', () => {
    restart();
    world.give({ kind: 'settle' });
    world.settle();
    expect(ran()).toEqual([[1, 'r1', true]]);
    read(makeSnapshot({ version: 2, inputs: [layer(1)] }));
    expect(world.rejections).toMatchObject([{ version: 2 }]);
    read(staged(3));
    expect(ran().slice(1)).toEqual([[3, 'r1', true]]);
  });

  it('takes the same snapshot for the same, until another slot is leased', () => {
    restart();
    read();
    expect(ran()).toEqual([[1, 'r1', true]]);
    lease(1);
    expect(world.reads).toBe(0);
    lease(2);
    expect(ran().slice(1)).toEqual([[1, '', false]]);
  });

  it('goes straight to the other variant when that slot is leased before anything runs', () => {
    restart();
    world.give({ kind: 'leased', slot: 2 });
    read();
    expect(ran()).toEqual([[1, '', false]]);
    expect(last()).toMatchObject({ previous: null });
  });

  it('notes the new slot of the same cohort once it sees the snapshot', () => {
    restart();
    world.give({ kind: 'leased', slot: 3 });
    world.give({ kind: 'settle' });
    world.settle();
    expect(world.disk?.head.identity?.slot).toBe(1);
    expect(world.applier.behind).toBe(true);
    read();
    expect(ran()).toEqual([[1, 'r1', true]]);
    expect(world.disk?.head.identity?.slot).toBe(3);
    expect(world.applier.behind).toBe(false);
  });

  it('with other labels runs what these reach, once it sees it', () => {
    world.labels = { region: 'eu' };
    world.restart();
    const stages = [{ basisPoints: 10_000, selector: { region: ['eu'] } }];
    lease(1);
    read(staged(1, { releases: [{ ...reaching('r1', ADDRESS), stages }] }));
    expect(ran()).toEqual([[1, 'r1', true]]);
    world.labels = { region: 'us' };
    world.restart();
    read();
    expect(ran()).toEqual([[1, '', false]]);
    expect(world.applier.running?.identity).toEqual({
      ...{ workload: 'checkout', slot: 1, labels: { region: 'us' } },
    });
  });

  it('forgets the slot of another workload', () => {
    restart();
    const { head } = world.disk!;
    const identity = { ...head.identity!, workload: 'payments' };
    world.disk = { ...world.disk!, head: { ...head, identity } };
    world.restart();
    read();
    expect(ran()).toEqual([[1, '', false]]);
  });

  it('reads a record of before there were slots', () => {
    read(staged(1));
    const { identity: _, cohort: __, ...head } = world.disk!.head;
    world.disk = { ...world.disk!, head };
    world.restart();
    world.give({ kind: 'settle' });
    world.settle();
    expect(world.applied).toMatchObject([{ document: { version: 1 } }]);
    lease(1);
    expect(ran().slice(1)).toEqual([[1, 'r1', true]]);
  });

  it('does not let a late file change the slot that the owner leased', () => {
    restart();
    world.restart('is late');
    world.give({ kind: 'leased', slot: 2 });
    world.answerDisk();
    read();
    expect(ran()).toEqual([[1, '', false]]);
  });
});
