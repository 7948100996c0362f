import { describe, expect, it } from 'vitest';
import type { Snapshot } from '@pawl/contracts';
import { ApplierWorld } from '../testing/applier-world.js';
import { CohortWorld, staged } from '../testing/cohort-world.js';
import { asReceived, makeSnapshot } from '../testing/make-snapshot.js';
import type { LastKnownGood, Restored } from './last-known-good.js';

const REASON = 'crash-loop: the process ended uncleanly twice';
const snapshots = [1, 2, 3].map((version) => makeSnapshot({ version }));
const [one, two, three] = snapshots as [Snapshot, Snapshot, Snapshot];

/** What is kept once a process ran a snapshot. */
function keptAfter(world: ApplierWorld, snapshot: Snapshot): LastKnownGood {
  world.give({ kind: 'read', snapshot: asReceived(snapshot) });
  world.settle();
  return world.disk!;
}

/** A process that starts from `kept`, and is not to run what ran after it. */
function refusing(kept: LastKnownGood, after: LastKnownGood): Restored {
  return { ...kept, refused: { of: after.head, reason: REASON } };
}

/** A new process that starts from version 1 and is not to run version 2. */
function startBelow(): ApplierWorld {
  const world = new ApplierWorld();
  const record = refusing(keptAfter(world, one), keptAfter(world, two));
  world.disk = null;
  world.restart();
  world.give({ kind: 'restored', record });
  return world;
}

const versions = (world: ApplierWorld): readonly number[] =>
  world.applied.map(({ head }) => head.version);

describe('a process that must not run the newest', () => {
  it('rejects it first of all, and says so as long as it runs less', () => {
    const world = startBelow();
    expect(world.rejections).toMatchObject([{ version: 2, hash: two.hash, reason: REASON }]);
    expect(world.applied).toEqual([]);
    world.give({ kind: 'settle' });
    world.settle();
    expect(versions(world)).toEqual([1]);
    expect(world.applier.rejected).toMatchObject({ version: 2, reason: REASON });
    expect(world.applier.highest).toMatchObject({ version: 1 });
  });

  it('starts from the one before once it hears that there is nothing newer', () => {
    const world = startBelow();
    world.give({ kind: 'read', snapshot: asReceived(two) });
    world.settle();
    expect(versions(world)).toEqual([1]);
    expect(world.rejections).toHaveLength(1);
    expect(world.applier.behind).toBe(false);
  });

  it('starts from a newer one when there is one', () => {
    const world = startBelow();
    world.give({ kind: 'read', snapshot: asReceived(three) });
    world.settle();
    expect(versions(world)).toEqual([3]);
    expect(world.applier.rejected).toBeNull();
  });

  it('does not run it however often it comes, and takes a newer one', () => {
    const world = startBelow();
    world.give({ kind: 'settle' });
    world.settle();
    for (let times = 0; times < 2; times += 1) {
      world.give({ kind: 'pushed', snapshot: asReceived(two) });
      world.give({ kind: 'named', point: two, hash: two.hash });
      world.give({ kind: 'read', snapshot: asReceived(two) });
      world.settle();
    }
    expect(versions(world)).toEqual([1]);
    world.give({ kind: 'pushed', snapshot: asReceived(three) });
    world.settle();
    expect(versions(world)).toEqual([1, 3]);
  });

  it('still rejects it while it moves below it', () => {
    const world = new ApplierWorld();
    const record = refusing(keptAfter(world, one), keptAfter(world, three));
    world.disk = null;
    world.restart();
    world.give({ kind: 'restored', record });
    world.give({ kind: 'read', snapshot: asReceived(two) });
    world.settle();
    expect(versions(world)).toEqual([2]);
    expect(world.applier.rejected).toMatchObject({ version: 3, reason: REASON });
    world.give({ kind: 'read', snapshot: asReceived(three) });
    world.settle();
    expect(versions(world)).toEqual([2]);
  });

  it('does not run what it reads under a newer version either, only what is other', () => {
    const world = new ApplierWorld();
    const [kept, after] = [keptAfter(world, one), keptAfter(world, two)];
    const refused = { of: after.head, reason: REASON, content: after.content.hash };
    world.disk = null;
    world.restart();
    world.give({ kind: 'restored', record: { ...kept, refused } });
    const same = makeSnapshot({ version: 3, document: { version: 2 } });
    world.give({ kind: 'read', snapshot: asReceived(same) });
    world.settle();
    expect(versions(world)).toEqual([1]);
    expect(world.applier.rejected).toMatchObject({ version: 3, reason: REASON });
    world.give({ kind: 'pushed', snapshot: makeSnapshot({ version: 4 }) });
    world.settle();
    expect(versions(world)).toEqual([1, 4]);
    expect(world.applier.rejected).toBeNull();
  });

  it('starts from the one before when it refuses what is newer too', () => {
    const world = startBelow();
    world.refuses = (_, version) => (version === 3 ? 'no threes' : null);
    world.give({ kind: 'read', snapshot: asReceived(three) });
    world.settle();
    expect(versions(world)).toEqual([1]);
    expect(world.applier.rejected).toMatchObject({ version: 3, reason: 'no threes' });
  });

  it('lets go of it when its disk tells late, unless it runs already', () => {
    const world = new ApplierWorld();
    const record = refusing(keptAfter(world, one), keptAfter(world, two));
    world.disk = null;
    world.restart();
    world.give({ kind: 'pushed', snapshot: asReceived(two) });
    world.give({ kind: 'restored', record });
    world.settle();
    expect(versions(world)).toEqual([1]);
    expect(world.rejections).toHaveLength(1);

    world.restart();
    world.give({ kind: 'pushed', snapshot: asReceived(two) });
    world.settle();
    world.give({ kind: 'restored', record });
    world.settle();
    expect(versions(world)).toEqual([2]);
    expect(world.rejections).toEqual([]);
  });

  it('is told nothing by the files of another installation', () => {
    const world = startBelow();
    world.restart();
    const other = makeSnapshot({ version: 1, installation: 'other/1' });
    const { head, ...rest } = keptAfter(new ApplierWorld(), one);
    const record = refusing(
      { ...rest, head: { ...head, installation: other.installation } },
      {
        ...rest,
        head,
      },
    );
    world.give({ kind: 'restored', record });
    expect(world.rejections).toEqual([]);
    expect(world.reports).toEqual(['foreign-installation']);
  });
});

describe('a candidate that must not run what its cohort reads', () => {
  /** A process in slot 1 that starts from version 1, and is not to run version 2 as a candidate. */
  function startCandidate(): CohortWorld {
    const world = new CohortWorld();
    world.lease(1);
    world.read(staged(1, { releases: [], cohorts: {} }));
    const kept = world.disk!;
    world.read(staged(2));
    const record = refusing(kept, world.disk!);
    world.disk = null;
    world.restart();
    world.give({ kind: 'restored', record });
    return world;
  }

  it('does not, also not when it was another one meanwhile', () => {
    const world = startCandidate();
    world.read();
    expect(world.ran()).toEqual([[1, '', false]]);
    expect(world.applier.rejected).toMatchObject({ version: 2, cohort: 'r1', reason: REASON });
    world.lease(2);
    expect(world.ran().slice(1)).toEqual([[2, '', false]]);
    world.lease(1);
    expect(world.ran()).toHaveLength(2);
    world.read(staged(3));
    expect(world.ran().slice(2)).toEqual([[3, 'r1', true]]);
  });

  it('has the slot in which it last ran, not that of before', () => {
    const world = new CohortWorld();
    world.lease(2);
    world.read(staged(1, { releases: [], cohorts: {} }));
    const kept = world.disk!;
    world.lease(1);
    world.read(staged(2));
    const record = refusing(kept, world.disk!);
    world.disk = null;
    world.restart();
    world.give({ kind: 'restored', record });
    world.read();
    expect(world.ran()).toEqual([[1, '', false]]);
  });

  it('runs the same snapshot as another cohort when that ran before', () => {
    const world = new CohortWorld();
    world.lease(2);
    world.read(staged(1));
    const kept = world.disk!;
    world.lease(1);
    const record = refusing(kept, world.disk!);
    world.disk = null;
    world.restart();
    world.give({ kind: 'restored', record });
    world.read();
    world.give({ kind: 'settle' });
    world.settle();
    expect(world.ran()).toEqual([[1, '', false]]);
    expect(world.applier.rejected).toMatchObject({ version: 1, cohort: 'r1', reason: REASON });
  });
});
