import type { AddressText, HistoryItem, Prepare, RolloutRelease, VoteItem } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineWorld } from '../testing/engine-world.js';
import { FakeConsumer } from '../testing/fake-fleet.js';
import { HOUR_MS, preparesOf, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

const AT = 'acme/shop';
const BAKE_MS = 30_000;

let staged: StagedWorld;
let world: EngineWorld;
let asked: Prepare[];
let fleet: FakeConsumer[];

beforeEach(async () => {
  staged = await stagedWorld();
  ({ world } = staged);
  asked = preparesOf(world);
  await staged.promoted('acme', { currency: 'EUR' });
  await staged.promoted(AT, { max: 1 });
  fleet = await added('shop', 4, 'b1');
  await staged.fleet.pass(1_000);
});

/** Instances of a build that have said so. */
async function added(
  workload: string,
  count: number,
  build: string,
  vote: FakeConsumer['vote'] = yes,
): Promise<FakeConsumer[]> {
  const some = await staged.fleet.add(AT, workload, count);
  for (const one of some) {
    Object.assign(one, { build, vote });
    await one.hello();
  }
  return some;
}

/** A release whose first stage, a quarter of each workload, is reached. */
async function begun(more: object = {}, bakeMs = HOUR_MS): Promise<void> {
  const stages = [
    { percent: 25, bakeMs },
    { percent: 100, bakeMs },
  ];
  await staged.begun(AT, { max: 2 }, { stages, gates: [], preflight: true, ...more });
  await staged.fleet.pass(7_000);
  expect(candidates()).toHaveLength(1);
  asked.length = 0;
}

function candidates(workload = 'shop'): FakeConsumer[] {
  return staged.fleet.candidates().filter(({ ref }) => ref.workload === workload);
}

async function shown(): Promise<RolloutRelease | undefined> {
  return (await world.rollout(AT)).releases?.[0];
}

async function last(): Promise<Partial<HistoryItem>> {
  const [item] = await world.history(AT);
  return item ?? {};
}

async function stage(): Promise<number | undefined> {
  return (await world.releaseOf(AT)).staged?.stage;
}

const says =
  (answer: Pick<VoteItem, 'verdict' | 'pointer' | 'reason'>): FakeConsumer['vote'] =>
  () =>
    answer;
const yes = says({ verdict: 'accept' });
const no = says({ verdict: 'reject', pointer: '/max', reason: 'too many' });
const silence: FakeConsumer['vote'] = () => null;

describe('a stage that grows', () => {
  it('asks a new workload first, and gives it nothing where it rejects', async () => {
    await begun();
    const till = await added('till', 4, 't1', no);
    await staged.fleet.pass(12_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'pawl' });
    expect((await last()).reason).toContain('preflight: 4 of 4 reject it: till/till-0 (build t1)');
    expect(till.map(({ held }) => held?.cohort)).toEqual(['', '', '', '']);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 1 });
  });

  it('asks the others first where a candidate has gone and they are another build by then', async () => {
    await begun({ preflight: { onRejection: 'pause' } });
    const [gone] = candidates();
    const others = fleet.filter((one) => one !== gone);
    await gone!.leave();
    for (const one of others) {
      one.vote = no;
      await one.restart('b2');
    }
    await staged.fleet.pass(90_000);
    expect(await last()).toMatchObject({ action: 'pause', author: 'pawl' });
    expect((await shown())?.reason).toContain('preflight: 3 of 3 reject it');
    expect(others.map(({ held }) => held?.cohort)).toEqual(['', '', '']);
  });

  it('asks a build that is scaled up first', async () => {
    await begun();
    const more = await added('shop', 8, 'b2', no);
    await staged.fleet.pass(12_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'pawl' });
    expect(new Set(asked.flatMap(({ only }) => only))).toEqual(
      new Set(more.map(({ incarnation }) => incarnation)),
    );
    expect(more.every(({ held }) => held?.cohort === '')).toBe(true);
  });

  it('grows once they have accepted it, and asks these no more', async () => {
    await begun();
    await added('till', 4, 't1');
    await staged.fleet.pass(12_000);
    expect(candidates('till')).toHaveLength(1);
    expect(candidates()).toHaveLength(1);
    expect(new Set(asked.flatMap(({ only }) => only)).size).toBe(4);
    asked.length = 0;
    await added('till', 4, 't1');
    await staged.fleet.pass(12_000);
    expect(candidates('till')).toHaveLength(2);
    expect(asked).toEqual([]);
  });

  it('shows whom it asks, and goes on over silence only where it is to', async () => {
    await begun({ preflight: { onSilence: 'proceed' } });
    await added('till', 4, 't1', silence);
    await staged.fleet.pass(7_000);
    expect(await shown()).toMatchObject({
      ...{ state: 'rolling', stage: 0 },
      asking: { asked: 4, accepted: 0, silent: 4 },
    });
    expect(candidates('till')).toEqual([]);
    await staged.fleet.pass(90_000);
    expect(candidates('till')).toHaveLength(1);
    expect(await shown()).not.toHaveProperty('asking');
  });

  it('gives nobody anything by votes that somebody has come after', async () => {
    await staged.promoted('acme/other', { max: 1 });
    await begun();
    await world.over('acme/other', { max: 2 });
    let commit = (): void => undefined;
    const held = new Promise<void>((resolve) => (commit = resolve));
    world.truth.beforeCommit = () => held;
    const promoted = world.promote('acme/other');
    await added('till', 4, 't1');
    // More candidates wait behind it.
    await staged.fleet.pass(7_000);
    expect(asked.length).toBeGreaterThan(0);
    await added('cart', 2, 'c1', no);
    world.truth.beforeCommit = () => Promise.resolve();
    commit();
    await promoted;
    await world.settle();
    expect(candidates('till')).toEqual([]);
    await staged.fleet.pass(7_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'pawl' });
  });

  it('asks nobody while nobody lacks a share', async () => {
    await begun();
    const [other] = fleet.filter((one) => !candidates().includes(one));
    other!.vote = no;
    await other!.restart('b2');
    await staged.fleet.pass(30_000);
    expect(asked).toEqual([]);
    expect(await shown()).toMatchObject({ state: 'rolling', stage: 0 });
  });
});

describe('the next stage', () => {
  it('comes as soon as all have accepted it, though another build comes every second', async () => {
    await begun({}, BAKE_MS);
    while (((await shown())?.bakeLeftMs ?? 0) > 2_000) await staged.fleet.pass(1_000);
    const others = fleet.filter((one) => !candidates().includes(one));
    for (let n = 0; n < 15 && (await stage()) === 0; n += 1) {
      await staged.fleet.pass(500);
      await others[n % others.length]!.restart(`wave-${n}`);
      await staged.fleet.pass(500);
    }
    expect(asked.length).toBeGreaterThan(0);
    expect(await stage()).toBe(1);
  });

  it('waits until a new owner can know who is there', async () => {
    await begun({}, 10_000);
    await world.restart();
    // It is there, and has not said so to this owner.
    const ref = { root: 'acme', workload: 'till', consumerId: 'till-0' };
    const unheard = new FakeConsumer(world, ref, AT as AddressText, {});
    Object.assign(unheard, { vote: no, build: 't1' });
    await staged.fleet.pass(13_000);
    expect(await stage()).toBe(0);
    expect(await shown()).toMatchObject({
      ...{ bakeLeftMs: 0, asking: { state: 'waiting' } },
      reason: 'it is not known yet who is there',
    });
    staged.fleet.all.push(unheard);
    await unheard.hello();
    await staged.fleet.pass(4_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'pawl' });
  });
});
