import type { Strategy } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { FakeFleet } from '../testing/fake-fleet.js';

const HOUR_MS = 3_600_000;
const QUARTER: Strategy = {
  stages: [
    { percent: 25, bakeMs: HOUR_MS },
    { percent: 100, bakeMs: HOUR_MS },
  ],
  gates: [],
};

let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  world = await claimedWorld();
  fleet = new FakeFleet(world);
  for (const at of ['acme', 'acme/app', 'acme/shop']) {
    await world.put(at, { [at]: 1 });
    await world.promote(at);
  }
  await world.over('acme', { acme: 2 });
});

async function begin(strategy = QUARTER): Promise<void> {
  expect(code(await world.begin('acme', strategy))).toBe('ok');
  await world.settle();
  fleet.follow();
}

async function versions(): Promise<number[]> {
  const all = ['acme', 'acme/app', 'acme/shop'].map((at) => world.published(at));
  return (await Promise.all(all)).map(({ version }) => version);
}

function candidates(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { ref } of fleet.candidates()) {
    counts[ref.workload] = (counts[ref.workload] ?? 0) + 1;
  }
  return counts;
}

async function named(at: string): Promise<string[]> {
  const { releases } = await world.published(at);
  return releases.flatMap(({ stages }) => stages.flatMap(({ named: names = [] }) => names)).sort();
}

describe('a release that is under way', () => {
  it('gives who comes later its share, in a snapshot of that address alone', async () => {
    await fleet.add('acme/app', 'checkout', 4);
    await begin();
    expect(candidates()).toEqual({ checkout: 1 });
    const before = await versions();
    await fleet.add('acme/shop', 'cart', 8);
    expect(candidates()).toEqual({ checkout: 1 });
    await fleet.pass(6_000);
    expect(candidates()).toEqual({ checkout: 1, cart: 2 });
    expect(await versions()).toEqual([before[0], before[1], (before[2] ?? 0) + 1]);
    await fleet.add('acme/app', 'checkout', 4);
    await fleet.pass(6_000);
    expect(candidates()).toEqual({ checkout: 2, cart: 2 });
    expect(await versions()).toEqual([before[0], (before[1] ?? 0) + 1, (before[2] ?? 0) + 1]);
    expect(await world.rollout('acme/app')).toMatchObject({ consumers: { applied: 8 } });
  });

  it('writes nothing while everybody has its share', async () => {
    await fleet.add('acme/app', 'checkout', 4);
    await begin();
    await fleet.add('acme/app', 'checkout', 0);
    const before = world.committed.length;
    await fleet.pass(30_000);
    expect(world.committed).toHaveLength(before);
    await fleet.all.find((one) => !fleet.candidates().includes(one))?.leave();
    await fleet.pass(30_000);
    expect(world.committed).toHaveLength(before);
    expect((await world.history('acme'))[0]?.action).toBe('promote');
  });

  it('grows no more while it is paused, and goes on when it is resumed', async () => {
    await begin();
    await world.release('acme', { action: 'pause' });
    await fleet.add('acme/app', 'checkout', 4);
    await fleet.pass(30_000);
    expect(candidates()).toEqual({});
    await world.release('acme', { action: 'resume' });
    await fleet.pass(6_000);
    expect(candidates()).toEqual({ checkout: 1 });
  });

  it('does not grow once it is paused, though it was about to', async () => {
    await begin();
    await fleet.add('acme/app', 'checkout', 1);
    await fleet.pass(6_000);
    const before = await versions();
    let goOn = (): void => undefined;
    world.truth.beforeCommit = () => new Promise<void>((resolve) => (goOn = resolve));
    const paused = world.release('acme', { action: 'pause' });
    await fleet.add('acme/app', 'cart', 4);
    await fleet.pass(10_000);
    world.truth.beforeCommit = () => Promise.resolve();
    goOn();
    expect(code(await paused)).toBe('ok');
    expect(await versions()).toEqual(before);
  });

  it('puts nobody in the place of a candidate that is gone', async () => {
    await fleet.add('acme/app', 'checkout', 8);
    await begin();
    const before = await named('acme/app');
    expect(before).toHaveLength(2);
    for (const one of fleet.candidates()) one.kill();
    await fleet.pass(60_000);
    expect(candidates()).toEqual({});
    expect(await named('acme/app')).toEqual(before);
    await fleet.add('acme/app', 'checkout', 2);
    await fleet.pass(10_000);
    expect(candidates()).toEqual({ checkout: 2 });
    expect(await named('acme/app')).toEqual(before);
  });

  it('does not take whoever makes a workload of one two', async () => {
    await fleet.add('acme/app', 'checkout', 1);
    await begin();
    expect(candidates()).toEqual({ checkout: 1 });
    await fleet.add('acme/app', 'checkout', 1);
    await fleet.pass(10_000);
    expect(candidates()).toEqual({ checkout: 1 });
  });

  it('takes only whom its selector matches', async () => {
    const selector = { region: ['eu'] };
    const stages = [{ percent: 50, selector, bakeMs: HOUR_MS }, { percent: 100 }];
    await begin({ stages, gates: [] });
    await fleet.add('acme/app', 'checkout', 6, { region: 'us' });
    await fleet.pass(6_000);
    expect(candidates()).toEqual({});
    await fleet.add('acme/app', 'checkout', 4, { region: 'eu' });
    await fleet.pass(6_000);
    expect(candidates()).toEqual({ checkout: 2 });
    expect(fleet.candidates().every(({ labels }) => labels['region'] === 'eu')).toBe(true);
  });

  it('sees who came while as many went', async () => {
    const stages = [
      { percent: 50, selector: { region: ['eu'] }, bakeMs: HOUR_MS },
      { percent: 100 },
    ];
    await begin({ stages, gates: [] });
    await fleet.add('acme/app', 'checkout', 4, { region: 'us' });
    await fleet.pass(6_000);
    await fleet.all[0]?.leave();
    await fleet.add('acme/app', 'checkout', 1, { region: 'eu' });
    await fleet.pass(6_000);
    expect(candidates()).toEqual({ checkout: 1 });
  });

  it('takes nobody in the name of another release on the path', async () => {
    await world.over('acme/app', { 'acme/app': 2 });
    await begin();
    await world.begin('acme/app', QUARTER);
    await world.release('acme/app', { action: 'pause' });
    await fleet.add('acme/app', 'checkout', 4);
    await fleet.pass(10_000);
    const { releases } = await world.published('acme/app');
    expect(releases.map(({ address, stages }) => [address, stages[0]?.named?.length])).toEqual([
      ['acme', 1],
      ['acme/app', undefined],
    ]);
  });

  it('has everybody in its last stage, whoever comes, with no snapshot for it', async () => {
    await begin();
    await world.release('acme', { action: 'advance' });
    const before = await versions();
    await fleet.add('acme/app', 'checkout', 4);
    await fleet.pass(10_000);
    expect(candidates()).toEqual({ checkout: 4 });
    expect(await versions()).toEqual(before);
  });

  it('grows under a new owner, too, and moves nobody out', async () => {
    await fleet.add('acme/app', 'checkout', 4);
    await begin();
    const first = fleet.candidates();
    await world.pass(1_100);
    await world.restart();
    await fleet.add('acme/app', 'checkout', 8);
    await fleet.hello();
    await fleet.pass(6_000);
    expect(candidates()).toEqual({ checkout: 3 });
    expect(fleet.candidates()).toEqual(expect.arrayContaining(first));
    expect(world.incidents).toEqual([]);
  });
});
