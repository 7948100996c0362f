import type { Gate } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { gatedWorld } from '../testing/gated-world.fixture.js';
import type { GatedWorld } from '../testing/gated-world.fixture.js';

type Gates = readonly Gate[];

const AT = 'acme/prod';
const LOST: Gates = [{ kind: 'lost', percent: 50, onFailure: 'pause' }];

let gated: GatedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  gated = await gatedWorld(AT, [{ count: 1 }, { percent: 100 }]);
  ({ world, fleet } = gated);
});

describe('silence is no yes', () => {
  it('also without gates: nothing goes on before a candidate has applied it', async () => {
    await fleet.add(AT, 'checkout', 4);
    fleet.all.forEach((one) => (one.isStuck = true));
    await gated.begin([], 0);
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(0);
    expect(await gated.shown(AT)).toMatchObject({
      reason: 'of checkout no candidate has applied it',
    });
    fleet.all.forEach((one) => (one.isStuck = false));
    await fleet.pass(3_000);
    expect(await gated.stage()).not.toBe(0);
  });

  it('of any workload, however many others are well', async () => {
    for (let n = 0; n < 30; n += 1) await fleet.add(`acme/prod/s${n}`, `s${n}`, 2);
    const sick = fleet.all.filter(({ ref }) => ref.workload === 's7');
    await fleet.pass(2_000);
    sick.forEach((one) => (one.isStuck = true));
    await gated.begin([], 0);
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(0);
    expect(await gated.shown('acme/prod/s7')).toMatchObject({
      reason: 'of s7 no candidate has applied it',
    });
  });

  it('of any workload fails in its time where it has to be applied, or holds that workload', async () => {
    for (let n = 0; n < 30; n += 1) await fleet.add(`acme/prod/s${n}`, `s${n}`, 2);
    const sick = fleet.all.filter(({ ref }) => ref.workload === 's7');
    await fleet.pass(2_000);
    sick.forEach((one) => (one.isStuck = true));
    const applied: Gate = { kind: 'applied', percent: 90, withinMs: 10_000, onFailure: 'hold' };
    await gated.begin([applied], 0);
    await fleet.pass(9_000);
    expect((await world.releaseOf(AT)).staged?.held).toBeUndefined();
    await fleet.pass(6_000);
    const { staged } = await world.releaseOf(AT);
    expect(staged).toMatchObject({
      ...{ stage: 1, held: { s7: '0 of 1 candidates have applied it, 90 % must' } },
    });
  });

  it('of one instance of several is not that of its workload', async () => {
    for (let n = 0; n < 9; n += 1) await fleet.add(`acme/prod/s${n}`, `s${n}`, 6);
    await fleet.pass(2_000);
    const applied: Gate = { kind: 'applied', percent: 90, withinMs: 10_000, onFailure: 'pause' };
    const [first, second, third] = fleet.all.filter(({ ref }) => ref.workload === 's7');
    first!.isStuck = true;
    await gated.begin([applied], 60_000, { percent: 99 });
    await fleet.pass(20_000);
    expect(await gated.stage()).toBe(0);
    await gated.act('abort');
    await world.over(AT, { a: 3 });
    second!.isStuck = true;
    third!.isStuck = true;
    await gated.begin([applied], 60_000, { percent: 99 });
    await fleet.pass(20_000);
    expect(await gated.last()).toMatch(/^pawl pause: of s7 \d of 5 candidates have applied it/);
  });

  it('of what is published is seen while the rest still is not', async () => {
    await fleet.add('acme/prod/app', 'app', 2);
    await fleet.add('acme/prod/shop', 'shop', 2);
    await fleet.pass(2_000);
    const { publisher } = world;
    const publish = publisher.publish.bind(publisher);
    publisher.publish = (address, snapshot) =>
      address.text === 'acme/prod/shop'
        ? Promise.reject(new Error('it is busy'))
        : publish(address, snapshot);
    fleet.all.forEach((one) => (one.judge = () => 'a is too high'));
    await gated.begin([{ kind: 'rejections', limit: 0, onFailure: 'abort' }], 0);
    await fleet.pass(5_000);
    expect(await gated.last()).toBe('pawl abort: 1 of 1 candidates rejected it: a is too high');
  });

  it('of the labels that a stage asks for', async () => {
    await fleet.add(AT, 'checkout', 4, { region: 'eu' });
    const selector = { region: ['us'] };
    await gated.begin([], 0, { percent: 50, selector });
    await fleet.pass(10_000);
    expect(await gated.stage()).toBe(0);
    await fleet.add(AT, 'checkout', 2, { region: 'us' });
    await fleet.pass(20_000);
    expect(await gated.stage()).not.toBe(0);
  });
});

describe('a candidate that dies', () => {
  it('before it can say that it runs it is lost all the same', async () => {
    await fleet.add(AT, 'checkout', 8);
    await fleet.pass(20_000);
    await gated.begin([{ kind: 'lost', percent: 5, onFailure: 'abort' }], 60_000, { percent: 50 });
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
    await gated.begin(LOST, 60_000);
    await fleet.pass(2_000);
    fleet
      .candidates()
      .find(({ ref }) => ref.workload === 's7')
      ?.kill();
    await fleet.pass(30_000);
    expect(await world.releaseOf(AT)).toMatchObject({
      state: 'paused',
      staged: { reason: 'of s7 1 of 1 candidates fell silent without a goodbye' },
    });
  });

  it('with others of a small workload stops it beside a large one, and alone does not', async () => {
    await fleet.add('acme/prod/big', 'big', 120);
    const small = await fleet.add('acme/prod/small', 'small', 5);
    await fleet.pass(20_000);
    await gated.begin([{ kind: 'lost', percent: 5, onFailure: 'pause' }], 600_000, { percent: 80 });
    await fleet.pass(2_000);
    const candidates = fleet.candidates().filter((one) => small.includes(one));
    expect(candidates).toHaveLength(4);
    candidates[0]!.kill();
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(0);
    candidates[1]!.kill();
    await fleet.pass(30_000);
    expect(await gated.last()).toBe(
      'pawl pause: of small 2 of 4 candidates fell silent without a goodbye',
    );
  });

  it('is known to whoever resumes the release, and the next one stops it again', async () => {
    await fleet.add(AT, 'checkout', 12);
    await fleet.pass(20_000);
    await gated.begin([{ kind: 'lost', percent: 5, onFailure: 'pause' }], 600_000, { percent: 50 });
    await fleet.pass(2_000);
    const [first, second] = fleet.candidates();
    first?.kill();
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe('paused');
    await world.release(AT, { action: 'resume' });
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(0);
    second?.kill();
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe('paused');
  });
});

describe('what whoever resumed a release had seen', () => {
  it('does not stop it again as too few that have applied it', async () => {
    await fleet.add(AT, 'checkout', 12);
    await fleet.pass(20_000);
    const applied = { kind: 'applied', percent: 95, withinMs: 10_000, onFailure: 'pause' } as const;
    await gated.begin([...LOST.map((gate) => ({ ...gate, percent: 5 })), applied], 600_000, {
      percent: 50,
    });
    await fleet.pass(2_000);
    fleet.candidates()[0]?.kill();
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe('paused');
    await world.release(AT, { action: 'resume' });
    await fleet.pass(60_000);
    expect(await gated.stage()).toBe(0);
  });

  it('is not forgiven to others once it has healed', async () => {
    await fleet.add(AT, 'checkout', 8);
    await fleet.pass(2_000);
    await gated.begin([{ kind: 'rejections', limit: 0, onFailure: 'pause' }], 600_000, {
      percent: 50,
    });
    const [first, second] = fleet.candidates();
    first!.judge = () => 'no';
    await fleet.pass(2_000);
    expect(await gated.stage()).toBe('paused');
    await world.release(AT, { action: 'resume' });
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe(0);
    const anew = async (one: typeof first, judge: () => string | null): Promise<void> => {
      Object.assign(one!, { incarnation: 'i2', held: null, judge });
      await one!.hello();
      await fleet.pass(20_000);
    };
    await anew(first, () => null);
    expect(await gated.stage()).toBe(0);
    await anew(second, () => 'no');
    expect(await gated.stage()).toBe('paused');
  });
});

describe('a new owner', () => {
  it('takes nothing for an answer that only the former one had heard', async () => {
    await fleet.add(AT, 'checkout', 4);
    await gated.begin([], 4_000);
    await fleet.pass(2_000);
    fleet.candidates()[0]?.kill();
    await world.restart();
    await fleet.pass(40_000);
    expect(await gated.stage()).toBe(0);
  });
});

describe('the time of a stage', () => {
  it('is not counted while nobody runs the version', async () => {
    await gated.begin([], 60_000);
    await fleet.pass(120_000);
    await fleet.add(AT, 'checkout', 2);
    await fleet.pass(50_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(1);
  });

  it('gives who starts late as long to apply it as others had', async () => {
    await fleet.add(AT, 'checkout', 1);
    await gated.begin(
      [{ kind: 'applied', percent: 100, withinMs: 10_000, onFailure: 'abort' }],
      120_000,
    );
    await fleet.pass(60_000);
    const [canary] = fleet.all;
    Object.assign(canary!, { incarnation: 'i2', held: null, isStuck: true });
    await canary!.hello();
    await fleet.pass(8_000);
    expect(await gated.stage()).toBe(0);
    canary!.isStuck = false;
    await fleet.pass(20_000);
    expect(await gated.stage()).toBe(0);
  });

  it('stands still, and so does growth, while the scope is frozen', async () => {
    await fleet.add(AT, 'checkout', 2);
    await gated.begin([], 5_000, { percent: 50 });
    await fleet.pass(2_000);
    await world.put('acme:release-policy', { frozen: 'incident 12' });
    await world.promote('acme:release-policy');
    await fleet.add(AT, 'checkout', 8);
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(0);
    expect(fleet.candidates()).toHaveLength(1);
    expect(await gated.shown(AT)).toMatchObject({ reason: 'frozen: incident 12' });
    for (const one of fleet.all) one.isStuck = true;
    await fleet.pass(1_000);
    await fleet.add(AT, 'other', 1);
    await fleet.pass(1_000);
    expect(await gated.shown(AT)).toMatchObject({
      reason: 'frozen: incident 12; no instance of other has been reached',
    });
    for (const one of fleet.all) one.isStuck = false;
    await world.over('acme:release-policy', {});
    await world.promote('acme:release-policy');
    await fleet.pass(30_000);
    expect(await gated.stage()).not.toBe(0);
  });
});
