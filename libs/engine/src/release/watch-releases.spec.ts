import { address } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { gatedWorld } from '../testing/gated-world.fixture.js';
import type { GatedWorld } from '../testing/gated-world.fixture.js';

const AT = 'acme/app';

let gated: GatedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  gated = await gatedWorld(AT);
  ({ world, fleet } = gated);
});

describe('a release in stages, watched', () => {
  it('goes on by itself once each stage is baked, and says that nobody asked', async () => {
    await fleet.add(AT, 'checkout', 4);
    await gated.begin([]);
    const seen: unknown[] = [];
    for (let second = 0; second < 36; second += 1) {
      seen.push(await gated.stage());
      await fleet.pass(1_000);
    }
    expect(seen.filter((one) => one === 0).length).toBeGreaterThanOrEqual(10);
    expect(seen.filter((one) => one === 1).length).toBeGreaterThanOrEqual(10);
    expect(seen.filter((one) => one === 2).length).toBeGreaterThanOrEqual(10);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 2 });
    const lines = await world.history(AT, 3);
    expect(lines.map(({ action, author }) => [action, author])).toEqual([
      ['advance', 'pawl'],
      ['advance', 'pawl'],
      ['advance', 'pawl'],
    ]);
    await fleet.pass(2_000);
    expect(await world.rollout(AT)).toMatchObject({ consumers: { applied: 4 }, converged: true });
  });

  it('is looked at at once when somebody says so, twice as well as once', async () => {
    await fleet.add(AT, 'checkout', 4);
    await gated.begin([], 0);
    await world.pass(200);
    fleet.follow();
    expect(await gated.stage()).toBe(0);
    for (const at of [AT, AT, 'acme']) await world.use.lookAgain(address(at));
    await world.pass(100);
    expect(await gated.stage()).toBe(1);
  });

  it('bakes not while it is paused, however short that was', async () => {
    await fleet.add(AT, 'checkout', 4);
    await gated.begin([]);
    await fleet.pass(3_000);
    const before = await gated.shown();
    await gated.act('pause');
    await fleet.pass(500);
    await gated.act('resume');
    await fleet.pass(500);
    expect((await gated.shown())?.bakeLeftMs).toBe(before?.bakeLeftMs);
    expect(before?.bakeLeftMs).toBeLessThan(10_000);
  });

  it('bakes only while all that it reaches is published', async () => {
    await world.put('acme/app/eu', { b: 1 });
    await fleet.add(AT, 'checkout', 4);
    world.publisher.up = false;
    await gated.begin([]);
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(0);
    world.publisher.up = true;
    const publish = world.publisher.publish.bind(world.publisher);
    world.publisher.publish = (at, snapshot) =>
      at.text === AT ? publish(at, snapshot) : Promise.reject(new Error('only this one'));
    await fleet.pass(30_000);
    expect(await gated.shown()).toMatchObject({ stage: 0, bakeLeftMs: 10_000 });
    world.publisher.publish = publish;
    await fleet.pass(9_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(10_000);
    expect(await gated.stage()).toBe(1);
  });

  it('skips nothing of a bake when the wall clock is set', async () => {
    await fleet.add(AT, 'checkout', 4);
    await gated.begin([]);
    await fleet.pass(2_000);
    world.time.setWall(3_600_000);
    await fleet.pass(6_000);
    expect(await gated.stage()).toBe(0);
    world.time.setWall(-7_200_000);
    await fleet.pass(5_000);
    expect(await gated.stage()).toBe(1);
  });

  it('skips nothing of a bake when the process is suspended', async () => {
    await fleet.add(AT, 'checkout', 4);
    await gated.begin([{ kind: 'applied', percent: 100, withinMs: 20_000, onFailure: 'abort' }]);
    fleet.all.forEach((one) => (one.isStuck = true));
    await fleet.pass(3_000);
    world.time.suspend(60_000);
    await fleet.hello();
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe(0);
    fleet.all.forEach((one) => (one.isStuck = false));
    await fleet.pass(1_000);
    const { bakeLeftMs } = (await gated.shown()) ?? {};
    expect(bakeLeftMs).toBeGreaterThanOrEqual(8_000);
    await fleet.pass(12_000);
    expect(await gated.stage()).toBe(1);
  });

  it('begins the bake anew under a new owner, and not the release', async () => {
    await fleet.add(AT, 'checkout', 4);
    await gated.begin([]);
    await fleet.pass(8_000);
    await world.restart();
    await fleet.hello();
    await fleet.pass(9_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe(1);
  });

  it('goes on with its bake after a pause, and does nothing meanwhile', async () => {
    await fleet.add(AT, 'checkout', 4);
    await gated.begin([]);
    await fleet.pass(6_000);
    await gated.act('pause');
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe('paused');
    await gated.act('resume');
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(4_000);
    expect(await gated.stage()).toBe(1);
  });

  it('waits where no live instance is reached', async () => {
    await gated.begin([], 0);
    await fleet.pass(20_000);
    expect(await gated.stage()).toBe(0);
    expect((await gated.shown())?.reason).toContain('no live instance');
    await fleet.add(AT, 'checkout', 2);
    await fleet.pass(8_000);
    expect(await gated.stage()).not.toBe(0);
  });
});

describe('the watch', () => {
  beforeEach(async () => {
    await fleet.add(AT, 'checkout', 4);
  });

  it('tries again what failed, after a while', async () => {
    await gated.begin([]);
    let attempts = 0;
    world.truth.beforeCommit = ({ releases }) => {
      if (releases.length === 0) return Promise.resolve();
      attempts += 1;
      return Promise.reject(new TruthUnavailableError('down'));
    };
    await fleet.pass(13_000);
    expect(attempts).toBe(1);
    await fleet.pass(5_000);
    expect(attempts).toBe(1);
    await fleet.pass(6_000);
    expect(attempts).toBe(2);
    world.truth.beforeCommit = () => Promise.resolve();
    await fleet.pass(11_000);
    expect(await gated.stage()).toBe(1);
  });

  it('does not go on twice while one attempt takes its time', async () => {
    await gated.begin([], 3_000);
    let goOn = (): void => undefined;
    let attempts = 0;
    world.truth.beforeCommit = async ({ releases }) => {
      if (releases.length === 0) return;
      attempts += 1;
      await new Promise<void>((resolve) => (goOn = resolve));
    };
    await fleet.pass(12_000);
    expect([attempts, await gated.stage()]).toEqual([1, 0]);
    world.truth.beforeCommit = () => Promise.resolve();
    goOn();
    await world.settle();
    expect(await gated.stage()).toBe(1);
    await fleet.pass(2_000);
    expect(await gated.stage()).toBe(1);
    expect(world.logged).not.toContain('a release could not go on; will be tried again');
  });

  it.each([
    ['pause', 'paused'],
    ['advance', 1],
  ] as const)('adds nothing to the %s of somebody who was faster', async (action, next) => {
    await gated.begin([], 3_000);
    let goOn = (): void => undefined;
    world.truth.beforeCommit = async ({ releases }) => {
      if (releases.length > 0) await new Promise<void>((resolve) => (goOn = resolve));
    };
    const faster = gated.act(action);
    await fleet.pass(6_000);
    world.truth.beforeCommit = () => Promise.resolve();
    goOn();
    expect(await faster).toBe('ok');
    await fleet.pass(1_000);
    expect(await gated.stage()).toBe(next);
  });

  it('does nothing in a shard that is not served', async () => {
    await gated.begin([], 3_000);
    await world.lose('acme');
    const before = world.committed.length;
    await fleet.pass(10_000);
    expect(world.committed).toHaveLength(before);
    await world.claimAll();
    await fleet.hello();
    await fleet.pass(5_000);
    expect(await gated.stage()).toBe(1);
  });

  it('does nothing after it was stopped', async () => {
    fleet.all.forEach((one) => (one.judge = () => 'no'));
    await gated.begin([{ kind: 'rejections', limit: 0, onFailure: 'abort' }], 0);
    await world.engine.stop();
    const before = world.committed.length;
    fleet.follow();
    await world.pass(5_000);
    expect(world.committed).toHaveLength(before);
  });
});
