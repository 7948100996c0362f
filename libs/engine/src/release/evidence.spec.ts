import type { RolloutRelease, Strategy } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { FakeFleet } from '../testing/fake-fleet.js';

type Gates = NonNullable<Exclude<Strategy, string>['gates']>;

const AT = 'acme/prod';
const LOST: Gates = [{ kind: 'lost', percent: 50, onFailure: 'pause' }];

let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  world = await claimedWorld();
  fleet = new FakeFleet(world);
  await world.put(AT, { a: 1 });
  await world.promote(AT);
  await world.over(AT, { a: 2 });
});

async function begin(gates: Gates, bakeMs = 10_000, stage: object = { count: 1 }): Promise<void> {
  const stages = [
    { ...stage, bakeMs },
    { percent: 100, bakeMs },
  ];
  expect(code(await world.begin(AT, { stages, gates }))).toBe('ok');
  await world.settle();
}

async function stage(): Promise<number | string> {
  const { state, staged } = await world.releaseOf(AT);
  return state === 'rolling' ? (staged?.stage ?? -1) : state;
}

async function shown(at: string): Promise<RolloutRelease | undefined> {
  return (await world.rollout(at)).releases?.[0];
}

describe('silence is no yes', () => {
  it('also without gates: nothing goes on before a candidate has applied it', async () => {
    await fleet.add(AT, 'checkout', 4);
    fleet.all.forEach((one) => (one.isStuck = true));
    await begin([], 0);
    await fleet.pass(30_000);
    expect(await stage()).toBe(0);
    expect(await shown(AT)).toMatchObject({ reason: 'of checkout no candidate has applied it' });
    fleet.all.forEach((one) => (one.isStuck = false));
    await fleet.pass(3_000);
    expect(await stage()).not.toBe(0);
  });

  it('of any workload, however many others are well', async () => {
    for (let n = 0; n < 30; n += 1) await fleet.add(`acme/prod/s${n}`, `s${n}`, 2);
    const sick = fleet.all.filter(({ ref }) => ref.workload === 's7');
    await fleet.pass(2_000);
    sick.forEach((one) => (one.isStuck = true));
    await begin([{ kind: 'applied', percent: 90, withinMs: 10_000, onFailure: 'pause' }], 0);
    await fleet.pass(30_000);
    expect(await stage()).toBe(0);
    expect(await shown('acme/prod/s7')).toMatchObject({
      reason: 'of s7 no candidate has applied it',
    });
  });

  it('of the labels that a stage asks for', async () => {
    await fleet.add(AT, 'checkout', 4, { region: 'eu' });
    const selector = { region: ['us'] };
    await begin([], 0, { percent: 50, selector });
    await fleet.pass(10_000);
    expect(await stage()).toBe(0);
    await fleet.add(AT, 'checkout', 2, { region: 'us' });
    await fleet.pass(20_000);
    expect(await stage()).not.toBe(0);
  });
});

describe('a candidate that dies', () => {
  it('before it can say that it runs it is lost all the same', async () => {
    await fleet.add(AT, 'checkout', 8);
    await fleet.pass(20_000);
    await begin([{ kind: 'lost', percent: 5, onFailure: 'abort' }], 60_000, { percent: 50 });
    fleet.candidates()[0]?.kill();
    await fleet.pass(30_000);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 1 });
    expect((await world.history(AT))[0]?.reason).toBe(
      '1 of 4 candidates fell silent without a goodbye',
    );
  });

  it('as the only one of its workload stops the release of a hundred', async () => {
    for (let n = 0; n < 30; n += 1) await fleet.add(`acme/prod/s${n}`, `s${n}`, 2);
    await fleet.pass(20_000);
    await begin(LOST, 60_000);
    await fleet.pass(2_000);
    fleet
      .candidates()
      .find(({ ref }) => ref.workload === 's7')
      ?.kill();
    await fleet.pass(30_000);
    expect(await world.releaseOf(AT)).toMatchObject({
      state: 'paused',
      staged: { reason: 'all candidates of s7 fell silent' },
    });
  });

  it('is known to whoever resumes the release, and the next one stops it again', async () => {
    await fleet.add(AT, 'checkout', 12);
    await fleet.pass(20_000);
    await begin([{ kind: 'lost', percent: 5, onFailure: 'pause' }], 600_000, { percent: 50 });
    await fleet.pass(2_000);
    const [first, second] = fleet.candidates();
    first?.kill();
    await fleet.pass(30_000);
    expect(await stage()).toBe('paused');
    await world.release(AT, { action: 'resume' });
    await fleet.pass(30_000);
    expect(await stage()).toBe(0);
    second?.kill();
    await fleet.pass(30_000);
    expect(await stage()).toBe('paused');
  });
});

describe('what whoever resumed a release had seen', () => {
  it('does not stop it again as too few that have applied it', async () => {
    await fleet.add(AT, 'checkout', 12);
    await fleet.pass(20_000);
    const applied = { kind: 'applied', percent: 95, withinMs: 10_000, onFailure: 'pause' } as const;
    await begin([...LOST.map((gate) => ({ ...gate, percent: 5 })), applied], 600_000, {
      percent: 50,
    });
    await fleet.pass(2_000);
    fleet.candidates()[0]?.kill();
    await fleet.pass(30_000);
    expect(await stage()).toBe('paused');
    await world.release(AT, { action: 'resume' });
    await fleet.pass(60_000);
    expect(await stage()).toBe(0);
  });

  it('is not forgiven to others once it has healed', async () => {
    await fleet.add(AT, 'checkout', 8);
    await fleet.pass(2_000);
    await begin([{ kind: 'rejections', limit: 0, onFailure: 'pause' }], 600_000, { percent: 50 });
    const [first, second] = fleet.candidates();
    first!.judge = () => 'no';
    await fleet.pass(2_000);
    expect(await stage()).toBe('paused');
    await world.release(AT, { action: 'resume' });
    await fleet.pass(3_000);
    expect(await stage()).toBe(0);
    const anew = async (one: typeof first, judge: () => string | null): Promise<void> => {
      Object.assign(one!, { incarnation: 'i2', held: null, judge });
      await one!.hello();
      await fleet.pass(20_000);
    };
    await anew(first, () => null);
    expect(await stage()).toBe(0);
    await anew(second, () => 'no');
    expect(await stage()).toBe('paused');
  });
});

describe('a new owner', () => {
  it('takes nothing for an answer that only the former one had heard', async () => {
    await fleet.add(AT, 'checkout', 4);
    await begin([], 4_000);
    await fleet.pass(2_000);
    fleet.candidates()[0]?.kill();
    await world.restart();
    await fleet.pass(40_000);
    expect(await stage()).toBe(0);
  });
});

describe('the time of a stage', () => {
  it('is not counted while nobody runs the version', async () => {
    await begin([], 60_000);
    await fleet.pass(120_000);
    await fleet.add(AT, 'checkout', 2);
    await fleet.pass(50_000);
    expect(await stage()).toBe(0);
    await fleet.pass(30_000);
    expect(await stage()).toBe(1);
  });

  it('gives who starts late as long to apply it as others had', async () => {
    await fleet.add(AT, 'checkout', 1);
    await begin([{ kind: 'applied', percent: 100, withinMs: 10_000, onFailure: 'abort' }], 120_000);
    await fleet.pass(60_000);
    const [canary] = fleet.all;
    Object.assign(canary!, { incarnation: 'i2', held: null, isStuck: true });
    await canary!.hello();
    await fleet.pass(8_000);
    expect(await stage()).toBe(0);
    canary!.isStuck = false;
    await fleet.pass(20_000);
    expect(await stage()).toBe(0);
  });

  it('stands still, and so does growth, while the scope is frozen', async () => {
    await fleet.add(AT, 'checkout', 2);
    await begin([], 5_000, { percent: 50 });
    await fleet.pass(2_000);
    await world.put('acme:release-policy', { frozen: 'incident 12' });
    await world.promote('acme:release-policy');
    await fleet.add(AT, 'checkout', 8);
    await fleet.pass(30_000);
    expect(await stage()).toBe(0);
    expect(fleet.candidates()).toHaveLength(1);
    expect(await shown(AT)).toMatchObject({ reason: 'frozen: incident 12' });
    await world.over('acme:release-policy', {});
    await world.promote('acme:release-policy');
    await fleet.pass(30_000);
    expect(await stage()).not.toBe(0);
  });
});
