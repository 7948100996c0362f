import type { Gate } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { gatedWorld } from '../testing/gated-world.fixture.js';
import type { GatedWorld } from '../testing/gated-world.fixture.js';

type Gates = readonly Gate[];

const AT = 'acme/app';

let gated: GatedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  gated = await gatedWorld(AT);
  ({ world, fleet } = gated);
});

describe('the gate of rejections', () => {
  const gates: Gates = [{ kind: 'rejections', limit: 0, onFailure: 'abort' }];

  beforeEach(async () => {
    await fleet.add(AT, 'checkout', 4);
    await fleet.pass(1_000);
  });

  it('aborts within the time in which they are gathered, and says why', async () => {
    fleet.all.forEach((one) => (one.judge = () => 'a is too high'));
    await gated.begin(gates);
    fleet.follow();
    await world.pass(40);
    expect(await gated.stage()).toBe(0);
    await world.pass(20);
    expect(await gated.stage()).toBe('idle');
    expect(await world.history(AT)).toMatchObject([
      {
        ...{ author: 'pawl', action: 'abort', version: 2 },
        reason: '1 of 1 candidates rejected it: a is too high',
      },
    ]);
    expect(await world.read(AT)).toEqual({ a: 1 });
  });

  it('pauses where it is to, and leaves candidates where they are', async () => {
    fleet.all.forEach((one) => (one.judge = () => 'no'));
    await gated.begin([{ kind: 'rejections', limit: 0, onFailure: 'pause' }]);
    fleet.follow();
    await world.pass(100);
    expect(await world.releaseOf(AT)).toMatchObject({
      state: 'paused',
      staged: { stage: 0, reason: '1 of 1 candidates rejected it: no' },
    });
    expect(fleet.candidates()).toHaveLength(1);
  });

  it('obeys its limit', async () => {
    await gated.begin([{ kind: 'rejections', limit: 1, onFailure: 'pause' }]);
    fleet.candidates().forEach((one) => (one.judge = () => 'no'));
    await fleet.pass(5_000);
    expect(await gated.stage()).toBe(0);
    fleet.all.forEach((one) => (one.judge = () => 'no'));
    await gated.act('advance');
    await fleet.pass(1_000);
    expect(await gated.stage()).toBe('paused');
  });

  it('does not count who is no candidate', async () => {
    await gated.begin(gates);
    const canaries = fleet.candidates();
    fleet.all
      .filter((one) => !canaries.includes(one))
      .forEach((one) => (one.judge = () => 'I never like anything'));
    await fleet.pass(5_000);
    expect(await gated.stage()).toBe(0);
  });

  it('stops a release whose last attempt to go on has failed a moment ago', async () => {
    await gated.begin(gates);
    let attempts = 0;
    world.truth.beforeCommit = ({ releases }) => {
      if (releases.length === 0) return Promise.resolve();
      attempts += 1;
      return Promise.reject(new TruthUnavailableError('down'));
    };
    await fleet.pass(13_000);
    expect(attempts).toBe(1);
    world.truth.beforeCommit = () => Promise.resolve();
    const [canary] = fleet.candidates();
    canary!.incarnation = 'i2';
    canary!.held = null;
    canary!.judge = () => 'crashes with it';
    await canary!.hello();
    canary!.follow();
    await world.pass(100);
    expect(await gated.stage()).toBe('idle');
  });
});

describe('the gate of applied', () => {
  const gates: Gates = [{ kind: 'applied', percent: 100, withinMs: 20_000, onFailure: 'pause' }];

  beforeEach(async () => {
    await fleet.add(AT, 'checkout', 4);
    await fleet.pass(1_000);
  });

  it('waits for candidates, and passes once they have applied it', async () => {
    fleet.all.forEach((one) => (one.isStuck = true));
    await gated.begin(gates, 0);
    await fleet.pass(10_000);
    expect(await gated.shown()).toMatchObject({
      ...{ stage: 0, bakeLeftMs: 0, candidates: { live: 1, applied: 0, lagging: 1 } },
      reason: '0 of 1 candidates have applied it, 100 % must',
    });
    fleet.all.forEach((one) => (one.isStuck = false));
    await fleet.pass(2_000);
    expect(await gated.stage()).not.toBe(0);
  });

  it('fails when they have not in time, and gives them as long again after a pause', async () => {
    fleet.all.forEach((one) => (one.isStuck = true));
    await gated.begin(gates, 0);
    await fleet.pass(19_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(4_000);
    expect(await world.releaseOf(AT)).toMatchObject({
      state: 'paused',
      staged: { reason: '0 of 1 candidates have applied it, 100 % must' },
    });
    await gated.act('resume');
    await fleet.pass(19_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(4_000);
    expect(await gated.stage()).toBe('paused');
  });

  it('counts the time from the newest snapshot, not from the stage', async () => {
    await gated.begin(gates, 3_600_000);
    await fleet.pass(60_000);
    fleet.all.forEach((one) => (one.isStuck = true));
    await fleet.add(AT, 'cart', 3);
    await fleet.pass(10_000);
    expect(await gated.shown()).toMatchObject({ state: 'rolling', candidates: { live: 2 } });
    fleet.all.forEach((one) => (one.isStuck = false));
    await fleet.pass(20_000);
    expect(await gated.shown()).toMatchObject({ state: 'rolling', candidates: { applied: 2 } });
  });

  it('fails below a busy address, and takes who runs it there for one who has applied it', async () => {
    const BUSY = 'acme/app/eu';
    await world.put(BUSY, { b: 0 });
    await world.promote(BUSY);
    await fleet.add(BUSY, 'cart', 1);
    await fleet.pass(1_000);
    await gated.begin(gates, 3_600_000);
    await fleet.pass(1_000);
    const cart = fleet.all.find(({ ref }) => ref.workload === 'cart');
    const publish = async (seconds: number): Promise<void> => {
      for (let b = 0; b < seconds; b += 2) {
        await world.over(BUSY, { b, seconds });
        await world.promote(BUSY);
        await fleet.pass(2_000);
      }
    };
    cart!.isStuck = true;
    await publish(30);
    expect(await gated.shown()).toMatchObject({ state: 'rolling', candidates: { applied: 2 } });
    const [canary] = fleet.candidates().filter((one) => one !== cart);
    Object.assign(canary!, { incarnation: 'i2', held: null, isStuck: true });
    await canary!.hello();
    await publish(30);
    expect(await gated.stage()).toBe('paused');
  });

  it('takes who runs it as another cohort for one who has not applied it', async () => {
    await gated.begin(gates, 0);
    const [canary] = fleet.candidates();
    canary!.cohortIn = () => '';
    await fleet.pass(5_000);
    expect(await gated.shown()).toMatchObject({ stage: 0, candidates: { applied: 0, lagging: 1 } });
  });
});

describe('the gate of lost candidates', () => {
  const gates: Gates = [{ kind: 'lost', percent: 5, onFailure: 'abort' }];

  beforeEach(async () => {
    await fleet.add(AT, 'checkout', 6);
    await fleet.pass(20_000);
  });

  it('fails when one falls silent that had applied it', async () => {
    await gated.begin(gates, 3_600_000);
    await fleet.pass(2_000);
    fleet.candidates()[0]?.kill();
    await fleet.pass(12_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(8_000);
    expect(await gated.stage()).toBe('idle');
    expect((await world.history(AT))[0]?.reason).toBe(
      '1 of 1 candidates fell silent without a goodbye',
    );
  });

  it('passes when it said goodbye, and whoever takes its slot is a candidate', async () => {
    await gated.begin(gates, 3_600_000);
    await fleet.pass(2_000);
    await fleet.candidates()[0]?.leave();
    await fleet.pass(30_000);
    expect([await gated.stage(), fleet.candidates()]).toEqual([0, []]);
    await fleet.add(AT, 'checkout', 1);
    expect(fleet.candidates()).toHaveLength(1);
    await fleet.pass(30_000);
    expect(await gated.shown()).toMatchObject({ stage: 0, candidates: { live: 1, lost: 0 } });
  });

  it('passes when its process begins anew', async () => {
    await gated.begin(gates, 3_600_000);
    const [canary] = fleet.candidates();
    await fleet.pass(2_000);
    for (const incarnation of ['i2', 'i3']) {
      Object.assign(canary!, { incarnation, held: null });
      await canary!.hello();
      await fleet.pass(30_000);
    }
    expect(await gated.shown()).toMatchObject({
      stage: 0,
      candidates: { live: 1, applied: 1, lost: 0 },
    });
  });

  it('fails when one falls silent that was live and has not answered', async () => {
    fleet.all.forEach((one) => (one.isStuck = true));
    await gated.begin(gates, 3_600_000);
    fleet.candidates()[0]?.kill();
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe('idle');
  });

  it('does not take the deafness of the owner for the silence of candidates', async () => {
    await gated.begin(gates, 3_600_000);
    await fleet.pass(2_000);
    const hello = fleet.hello.bind(fleet);
    fleet.hello = () => Promise.resolve();
    await fleet.pass(40_000);
    expect(await gated.shown()).toMatchObject({ stage: 0, candidates: { live: 0, lost: 0 } });
    await fleet.all[5]?.hello();
    await fleet.pass(3_000);
    fleet.hello = hello;
    await fleet.pass(30_000);
    expect(await gated.shown()).toMatchObject({ stage: 0, candidates: { live: 1, lost: 0 } });
    world.time.suspend(60_000);
    await fleet.all[5]?.hello();
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(0);
  });
});
