import { beforeEach, describe, expect, it } from 'vitest';
import { CohortWorld, layer, reaching, staged } from '../testing/cohort-world.js';
import { ADDRESS, asReceived, makeSnapshot } from '../testing/make-snapshot.js';

let world: CohortWorld;

beforeEach(() => {
  world = new CohortWorld();
});

describe('a consumer that starts again', () => {
  const restart = () => {
    world.lease(1);
    world.read(staged(1));
    world.restart();
  };

  it('runs the variant that it ran, and judges the next by the slot it had', () => {
    restart();
    world.give({ kind: 'settle' });
    world.answer(0);
    const record = { head: world.disk!.head };
    expect(world.waiting).toMatchObject([{ kind: 'store', record }]);
    world.settle();
    expect(world.ran()).toEqual([[1, 'r1', true]]);
    world.read(makeSnapshot({ version: 2, inputs: [layer(1)] }));
    expect(world.rejections).toMatchObject([{ version: 2 }]);
    world.read(staged(3));
    expect(world.ran().slice(1)).toEqual([[3, 'r1', true]]);
  });

  it('takes the same snapshot for the same, until another slot is leased', () => {
    restart();
    world.read();
    expect(world.ran()).toEqual([[1, 'r1', true]]);
    world.lease(1);
    expect(world.reads).toBe(0);
    world.lease(2);
    expect(world.ran().slice(1)).toEqual([[1, '', false]]);
  });

  it('does not believe a damaged snapshot who is in which cohort', () => {
    world.lease(2);
    world.read(staged(1));
    world.restart();
    world.give({ kind: 'settle' });
    world.settle();
    world.give({ kind: 'read', snapshot: { ...asReceived(world.stream), releases: [] } });
    expect(world.reports).toEqual(['hash-mismatch']);
    world.lease(1);
    expect(world.ran()).toEqual([
      [1, '', false],
      [1, 'r1', true],
    ]);
  });

  it('goes straight to the other variant when that slot is leased before anything runs', () => {
    restart();
    world.give({ kind: 'leased', slot: 2 });
    world.read();
    expect(world.ran()).toEqual([[1, '', false]]);
    expect(world.applied.at(-1)).toMatchObject({ previous: null });
  });

  it('has the stream read until that shows what runs, if another slot is leased', () => {
    const old = staged(1);
    world.lease(1);
    world.read(old);
    world.read(staged(2));
    world.restart();
    world.give({ kind: 'settle' });
    world.settle();
    world.give({ kind: 'leased', slot: 2 });
    const damaged = asReceived(world.stream);
    Object.assign(damaged.variants['']!.inline!, { new: false });
    for (const snapshot of [null, old, damaged, null]) {
      world.give({ kind: 'read', snapshot });
      world.settle();
      expect(world.applier.behind).toBe(true);
    }
    expect(world.reports).toEqual(['hash-mismatch']);
    expect(world.ran()).toEqual([[2, 'r1', true]]);
    world.read();
    expect(world.applier.behind).toBe(false);
    expect(world.ran().slice(1)).toEqual([[2, '', false]]);
  });

  it('notes the new slot of the same cohort once it sees the snapshot', () => {
    restart();
    world.give({ kind: 'leased', slot: 3 });
    world.give({ kind: 'settle' });
    world.settle();
    expect(world.disk?.head.identity?.slot).toBe(1);
    expect(world.applier.behind).toBe(true);
    world.read();
    expect(world.ran()).toEqual([[1, 'r1', true]]);
    expect(world.disk?.head.identity?.slot).toBe(3);
    expect(world.applier.behind).toBe(false);
  });

  it('with other labels runs what these reach, once it sees it', () => {
    world.labels = { region: 'eu' };
    world.restart();
    const stages = [{ basisPoints: 10_000, selector: { region: ['eu'] } }];
    world.lease(1);
    world.read(staged(1, { releases: [{ ...reaching('r1', ADDRESS), stages }] }));
    expect(world.ran()).toEqual([[1, 'r1', true]]);
    world.labels = { region: 'us' };
    world.restart();
    world.read();
    expect(world.ran()).toEqual([[1, '', false]]);
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
    world.read();
    expect(world.ran()).toEqual([[1, '', false]]);
  });

  it('reads a record of before there were slots', () => {
    world.read(staged(1));
    const { identity: _, cohort: __, ...head } = world.disk!.head;
    world.disk = { ...world.disk!, head };
    world.restart();
    world.give({ kind: 'settle' });
    world.settle();
    expect(world.applied).toMatchObject([{ document: { version: 1 } }]);
    world.lease(1);
    expect(world.ran().slice(1)).toEqual([[1, 'r1', true]]);
  });

  it('keeps what it runs from a late file, also over what it wrote before that came', () => {
    restart();
    world.restart('is late');
    world.give({ kind: 'pushed', snapshot: asReceived(world.stream) });
    world.answer(0);
    expect(world.waiting).toMatchObject([{ kind: 'store', record: { head: { cohort: '' } } }]);
    world.answerDisk();
    world.settle();
    world.give({ kind: 'settle' });
    world.settle();
    expect(world.ran()).toEqual([[1, 'r1', true]]);
    expect(world.disk?.head).toEqual(world.applier.running);
  });

  it('tries again what it rejected before a late file told its slot', () => {
    restart();
    world.restart('is late');
    world.refuses = (document) => ('new' in document ? null : 'too old');
    world.read(staged(2));
    expect(world.rejections).toMatchObject([{ version: 2, cohort: '' }]);
    world.answerDisk();
    world.settle();
    expect(world.ran()).toEqual([[1, 'r1', true]]);
    expect(world.applier.behind).toBe(true);
    world.read();
    expect(world.ran().slice(1)).toEqual([[2, 'r1', true]]);
    expect(world.applier.behind).toBe(false);
  });

  it('does not let a late file change the slot that the owner leased', () => {
    restart();
    world.restart('is late');
    world.give({ kind: 'leased', slot: 2 });
    world.answerDisk();
    world.read();
    expect(world.ran()).toEqual([[1, '', false]]);
  });
});
