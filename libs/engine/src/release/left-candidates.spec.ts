import type { Strategy } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { FakeFleet } from '../testing/fake-fleet.js';
import type { FakeConsumer } from '../testing/fake-fleet.js';

const HOUR_MS = 3_600_000;
/** A goodbye counts after a minute, a look at who is there comes every five seconds. */
const GIVEN_AWAY_MS = 70_000;

/** So many of each workload for an hour, with no gate, then all. */
function first(count: number): Strategy {
  const stages = [{ count, bakeMs: HOUR_MS }, { percent: 100 }];
  return { stages, gates: [] };
}
/** With the gates that a release has unless it says otherwise. */
const CANARY: Strategy = {
  stages: [
    { count: 1, bakeMs: 90_000 },
    { percent: 100, bakeMs: HOUR_MS },
  ],
};

let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  world = await claimedWorld();
  fleet = new FakeFleet(world);
  await world.put('acme', { v: 1 });
  await world.promote('acme');
  await world.over('acme', { v: 2 });
});

async function begin(strategy: Strategy): Promise<void> {
  expect(code(await world.begin('acme', strategy))).toBe('ok');
  await world.settle();
  fleet.follow();
}

async function named(): Promise<readonly string[]> {
  const { releases } = await world.published('acme');
  return releases.flatMap(({ stages }) => stages.flatMap(({ named: names = [] }) => names));
}

/** The stage that the release has come to. */
async function stage(): Promise<number | undefined> {
  return (await world.rollout('acme')).releases?.[0]?.stage;
}

function candidate(): FakeConsumer {
  const [one] = fleet.candidates();
  assert(one !== undefined, 'there is a candidate');
  return one;
}

function others(): FakeConsumer[] {
  const candidates = fleet.candidates();
  return fleet.live.filter((one) => !candidates.includes(one));
}

describe('a candidate that says goodbye', () => {
  it('holds up no release: another is taken, and the stage ends when that was well', async () => {
    await fleet.add('acme', 'checkout', 40);
    await begin(CANARY);
    await candidate().leave();
    await fleet.pass(50_000);
    expect(fleet.candidates()).toHaveLength(0);
    await fleet.all.find((one) => one.up)?.leave();
    await fleet.pass(GIVEN_AWAY_MS - 50_000);
    expect(fleet.live).toHaveLength(38);
    expect(fleet.candidates()).toHaveLength(1);
    expect(await named()).toHaveLength(2);
    expect(await stage()).toBe(0);
    await fleet.pass(100_000);
    expect(await stage()).toBe(1);
    expect(fleet.candidates()).toHaveLength(38);
  });

  it('ends by what it runs: no more are taken than the stage takes twice, and it pauses', async () => {
    await fleet.add('acme', 'checkout', 8);
    await begin(CANARY);
    for (let minutes = 0; minutes < 70; minutes += 1) {
      for (const one of fleet.candidates()) await one.leave();
      await fleet.pass(60_000);
    }
    expect(fleet.live).toHaveLength(6);
    expect(await world.releaseOf('acme')).toMatchObject({
      state: 'paused',
      staged: { reason: expect.stringContaining('no progress for 3600 s') as string },
    });
  });

  it('is replaced in its place for a minute, and nobody else is taken', async () => {
    await fleet.add('acme', 'checkout', 40);
    await begin(first(3));
    const before = await named();
    for (const one of fleet.candidates()) {
      await one.leave();
      await fleet.pass(45_000);
      await fleet.add('acme', 'checkout', 1);
      expect(fleet.candidates()).toHaveLength(3);
    }
    await fleet.pass(30_000);
    expect(await named()).toEqual(before);
  });

  it('has its share taken by as many others, and its successor is one more', async () => {
    await fleet.add('acme', 'checkout', 40);
    await begin(first(3));
    const before = await named();
    for (const one of fleet.candidates()) await one.leave();
    await fleet.pass(GIVEN_AWAY_MS);
    expect(fleet.live).toHaveLength(37);
    const taken = fleet.candidates();
    expect(taken).toHaveLength(3);
    await fleet.add('acme', 'checkout', 3);
    await fleet.pass(10_000);
    expect(fleet.candidates()).toHaveLength(6);
    expect(fleet.candidates()).toEqual(expect.arrayContaining(taken));
    expect((await named()).slice(0, 3)).toEqual(before);
    expect(await named()).toHaveLength(6);
  });

  it('may be the last that a deploy replaces, its slot left over', async () => {
    await fleet.add('acme', 'checkout', 8);
    await begin(CANARY);
    const last = candidate();
    for (const one of [...others(), last]) {
      await fleet.add('acme', 'checkout', 1);
      await one.leave();
      await fleet.pass(5_000);
    }
    expect(fleet.live.map(({ slot }) => slot)).not.toContain(last.slot);
    expect(fleet.live).toHaveLength(8);
    await fleet.pass(GIVEN_AWAY_MS);
    expect(fleet.candidates()).toHaveLength(1);
    await fleet.pass(100_000);
    expect(await stage()).toBe(1);
  });

  it('holds up no other service where its own is made smaller', async () => {
    const services = Array.from({ length: 10 }, (_, at) => `w${at}`);
    for (const workload of services) await fleet.add('acme', workload, 4);
    await begin(CANARY);
    expect(fleet.candidates()).toHaveLength(10);
    await fleet.candidates()[3]?.leave();
    await fleet.pass(GIVEN_AWAY_MS);
    const workloads = fleet.candidates().map(({ ref }) => ref.workload);
    expect(workloads.sort()).toEqual(services);
    expect(await named()).toHaveLength(11);
    await fleet.pass(100_000);
    expect(await stage()).toBe(1);
  });

  it('leaves the last of two to be taken, and of three that ended one after the other none', async () => {
    await fleet.add('acme', 'pair', 2);
    await fleet.add('acme', 'checkout', 3);
    await begin(first(2));
    const of = (workload: string): FakeConsumer[] =>
      fleet.candidates().filter(({ ref }) => ref.workload === workload);
    const [left] = of('pair');
    const [one, two] = of('checkout');
    await left?.leave();
    await one?.leave();
    await fleet.pass(GIVEN_AWAY_MS);
    expect(of('pair')).toEqual(fleet.live.filter(({ ref }) => ref.workload === 'pair'));
    expect(of('pair')).toHaveLength(1);
    expect(of('checkout')).toEqual([two]);
    await two?.leave();
    await fleet.pass(GIVEN_AWAY_MS);
    expect(of('checkout')).toEqual([]);
    expect(fleet.live).toHaveLength(2);
  });

  it('has closed the address only, and another is taken', async () => {
    await fleet.add('acme', 'checkout', 8);
    await begin(first(1));
    const closed = candidate();
    closed.kill();
    const reply = await world.use.hello(closed.ref, {
      ...{ format: 1, incarnation: closed.incarnation, labels: {}, runs: [] },
    });
    expect(reply?.slot).toBe(closed.slot);
    await fleet.pass(GIVEN_AWAY_MS);
    expect(fleet.candidates()).toHaveLength(1);
  });

  it('is remembered by the next owner, who takes another once it has heard everybody', async () => {
    await fleet.add('acme', 'checkout', 12);
    await begin(first(2));
    const [left, kept] = fleet.candidates();
    await left?.leave();
    await world.pass(1_100);
    await world.restart();
    await world.pass(14_000);
    const before = await named();
    for (const one of fleet.live) {
      await one.hello();
      await world.pass(1_000);
    }
    expect(await named()).toEqual(before);
    await fleet.pass(GIVEN_AWAY_MS);
    expect(fleet.candidates()).toHaveLength(2);
    expect(fleet.candidates()).toContain(kept);
    expect(world.incidents).toEqual([]);
  });
});

describe('a candidate that falls silent', () => {
  it('is replaced in its place for ten minutes, and nobody else is taken', async () => {
    await fleet.add('acme', 'checkout', 6);
    await begin(first(2));
    const before = await named();
    candidate().kill();
    await fleet.pass(590_000);
    expect(fleet.candidates()).toHaveLength(1);
    expect(await named()).toEqual(before);
    await fleet.add('acme', 'checkout', 1);
    await fleet.pass(60_000);
    expect(fleet.candidates()).toHaveLength(2);
    expect(await named()).toEqual(before);
  });

  it('holds up no release for ever where no gate stops it for that', async () => {
    await fleet.add('acme', 'checkout', 4);
    await fleet.add('acme', 'cart', 4);
    await begin({ ...CANARY, gates: [] });
    candidate().kill();
    await fleet.pass(600_000);
    expect(fleet.candidates()).toHaveLength(1);
    await fleet.pass(30_000);
    expect(fleet.candidates()).toHaveLength(2);
    await fleet.pass(90_000);
    expect(await stage()).toBe(1);
  });

  it('counts from its last goodbye, not from who held its slot before and died', async () => {
    await fleet.add('acme', 'checkout', 6);
    await begin(first(1));
    candidate().kill();
    await fleet.pass(30_000);
    await fleet.add('acme', 'checkout', 1);
    await candidate().leave();
    await fleet.pass(GIVEN_AWAY_MS);
    expect(fleet.candidates()).toHaveLength(1);
  });

  it('is not given up while nobody can be heard, nor before all had the time to be heard', async () => {
    await fleet.add('acme', 'checkout', 8);
    await begin(first(2));
    const before = await named();
    const candidates = fleet.candidates();
    world.time.advance(HOUR_MS / 2);
    await world.settle();
    for (const one of [...others(), ...candidates]) {
      await one.hello();
      await world.pass(1_500);
    }
    await fleet.pass(30_000);
    expect(await named()).toEqual(before);
    expect(fleet.candidates()).toEqual(candidates);
  });
});
