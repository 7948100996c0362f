import type { Gate, Strategy } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeConsumer, FakeFleet } from '../testing/fake-fleet.js';
import { gatedWorld } from '../testing/gated-world.fixture.js';
import type { GatedWorld } from '../testing/gated-world.fixture.js';

const AT = 'acme/app';
const HOUR_MS = 3_600_000;
const RESTARTS: readonly Gate[] = [{ kind: 'restarts' }];

let gated: GatedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  gated = await gatedWorld(AT);
  ({ world, fleet } = gated);
  await fleet.add(AT, 'checkout', 8);
  await fleet.pass(20_000);
});

let restarts = 0;
/** The process ends without a word, and another one begins under the same name. */
async function restart(...those: readonly FakeConsumer[]): Promise<void> {
  // After whatever was heard of the former one.
  await world.pass(100);
  for (const one of those) {
    one.incarnation = `${one.ref.consumerId}-again-${(restarts += 1)}`;
    one.held = null;
    one.up = true;
    await one.hello();
  }
}

/** Until something is decided, everybody who is a candidate crashes every so many milliseconds. */
async function crashLoop(everyMs: number, most: number): Promise<number> {
  let deaths = 0;
  for (; deaths < most && typeof (await gated.stage()) === 'number';) {
    await fleet.pass(everyMs);
    const candidates = fleet.candidates();
    deaths += candidates.length;
    await restart(...candidates);
  }
  return deaths;
}

/** All stages with the gates that stand where none are named. */
async function beginByDefault(): Promise<void> {
  const strategy: Strategy = { preset: 'canary', percent: 50, bakeMs: 10_000, finalBakeMs: 20_000 };
  expect(code(await world.begin(AT, { ...strategy, preflight: false }))).toBe('ok');
  await world.settle();
}

describe('a release whose candidates crash every three seconds', () => {
  it('is aborted in its first stage where nothing in the process guards it', async () => {
    await beginByDefault();
    expect(await crashLoop(3_000, 100)).toBeLessThanOrEqual(3);
    expect(await gated.last()).toBe(
      'pawl abort: 1 of 1 candidates crash-loop: ended without a goodbye twice within 600 s',
    );
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 1 });
  });

  it('also where they die before they can say that they run it', async () => {
    await beginByDefault();
    fleet.candidates().forEach((one) => (one.isStuck = true));
    expect(await crashLoop(3_000, 100)).toBeLessThanOrEqual(4);
    expect(await gated.last()).toContain('crash-loop: ended without a goodbye twice');
  });

  it('and by their rejection where it is guarded', async () => {
    await beginByDefault();
    const [canary] = fleet.candidates();
    await fleet.pass(3_000);
    await restart(canary!);
    fleet.follow();
    await fleet.pass(1_000);
    canary!.judge = () => 'crash-loop: the process ended uncleanly twice';
    await restart(canary!);
    fleet.follow();
    await fleet.pass(1_000);
    expect(await gated.stage()).toBe('idle');
    expect(await gated.last()).toContain('crash-loop');
  });

  it('is paused where that is asked for, or a workload is held', async () => {
    await gated.begin([{ kind: 'restarts', onFailure: 'pause' }], HOUR_MS);
    await crashLoop(3_000, 100);
    expect(await gated.stage()).toBe('paused');
    expect(await gated.act('abort')).toBe('ok');

    await fleet.add(AT, 'cart', 4);
    await world.over(AT, { a: 3 });
    await gated.begin([{ kind: 'restarts', onFailure: 'hold' }], HOUR_MS);
    await fleet.pass(3_000);
    const sick = fleet.candidates().find(({ ref }) => ref.workload === 'cart');
    for (let times = 0; times < 2; times += 1) {
      await restart(sick!);
      await fleet.pass(3_000);
    }
    const { state, staged } = await world.releaseOf(AT);
    const why = '1 of 1 candidates crash-loop: ended without a goodbye twice within 600 s';
    expect({ state, held: staged?.held }).toEqual({ state: 'rolling', held: { cart: why } });
  });

  it('is stopped also where they crash more slowly than a stage bakes', async () => {
    await gated.begin(RESTARTS, 60_000);
    await crashLoop(90_000, 100);
    expect(await gated.stage()).toBe('idle');
  });
});

describe('what is no crash loop', () => {
  const done = async (): Promise<void> => {
    await fleet.pass(90_000);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 2 });
  };

  it('is one restart of a candidate', async () => {
    await beginByDefault();
    await fleet.pass(3_000);
    await restart(fleet.candidates()[0]!);
    await done();
  });

  it('are restarts that say goodbye, however many', async () => {
    await beginByDefault();
    for (let times = 0; times < 5; times += 1) {
      await fleet.pass(2_000);
      const [canary] = fleet.candidates();
      await canary!.hello(true);
      await restart(canary!);
    }
    await done();
  });

  it('is a restart of everybody in the middle of a good release', async () => {
    await beginByDefault();
    await fleet.pass(13_000);
    expect(await gated.stage()).toBe(1);
    await restart(...fleet.all);
    await done();
  });

  it('are two of them, while somebody is there to compare with', async () => {
    await gated.begin(RESTARTS, 20_000);
    await fleet.pass(3_000);
    await restart(...fleet.all);
    await fleet.pass(3_000);
    await restart(...fleet.all);
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe(0);
    expect(await gated.gates()).toMatchObject([
      { kind: 'restarts', outcome: 'pass', value: 1, baseline: 7, limit: 0 },
    ]);
  });

  it('is one of those that are no candidates, and it excuses no candidate', async () => {
    await gated.begin(RESTARTS, HOUR_MS);
    const canaries = fleet.candidates();
    const [other] = fleet.all.filter((one) => !canaries.includes(one));
    for (let times = 0; times < 4; times += 1) {
      await fleet.pass(3_000);
      await restart(other!);
    }
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe(0);
    await gated.act('advance');
    await fleet.pass(3_000);
    await restart(canaries[0]!);
    await fleet.pass(3_000);
    await restart(canaries[0]!);
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe('idle');
  });

  it('are two ends that are farther apart than the gate says', async () => {
    await gated.begin([{ kind: 'restarts', withinMs: 10_000 }], HOUR_MS);
    for (let times = 0; times < 4; times += 1) {
      await fleet.pass(15_000);
      await restart(fleet.candidates()[0]!);
    }
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe(0);
  });

  it('are as many candidates as the limit says', async () => {
    await gated.begin([{ kind: 'restarts', limit: 2 }], HOUR_MS, { percent: 50 });
    const four = fleet.candidates();
    for (let times = 0; times < 2; times += 1) {
      await fleet.pass(3_000);
      await restart(...four.slice(0, 2));
    }
    await fleet.pass(3_000);
    expect(await gated.stage()).toBe(0);
    for (let times = 0; times < 2; times += 1) {
      await restart(four[2]!);
      await fleet.pass(3_000);
    }
    expect(await gated.last()).toContain('3 of 4 candidates crash-loop');
  });

  it('are two processes under one name', async () => {
    await gated.begin(RESTARTS, HOUR_MS);
    await fleet.pass(3_000);
    const [canary] = fleet.candidates();
    const incarnations = [canary!.incarnation, 'twin-1', 'twin-2'];
    for (let times = 0; times < 12; times += 1) {
      canary!.incarnation = incarnations[times % 3]!;
      await canary!.hello();
      await fleet.pass(1_000);
    }
    await fleet.pass(2_000);
    expect(await gated.stage()).toBe(0);
  });
});

describe('a fleet that is restless by itself', () => {
  it('stops nothing with an instance that was in a crash loop before', async () => {
    const [sick] = fleet.all;
    const loop = async (times: number): Promise<void> => {
      for (let time = 0; time < times; time += 1) {
        await fleet.pass(60_000);
        await restart(sick!);
      }
    };
    await loop(10);
    await gated.begin(RESTARTS, HOUR_MS);
    await gated.act('skip');
    await loop(20);
    expect(await gated.stage()).toBe(2);
    const [, well] = fleet.all;
    await restart(well!);
    await fleet.pass(3_000);
    await restart(well!);
    await fleet.pass(3_000);
    expect(await gated.last()).toContain('crash-loop');
  });

  it('stops nothing with what a stage before has passed with', async () => {
    await gated.begin(RESTARTS, HOUR_MS, { percent: 50 });
    for (let times = 0; times < 2; times += 1) {
      await fleet.pass(3_000);
      await restart(...fleet.all);
    }
    await fleet.pass(3_000);
    await gated.act('skip');
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(2);
  });

  it('is rolled out twice, canaries first', async () => {
    await gated.begin(RESTARTS, HOUR_MS);
    const canary = fleet.candidates()[0]!;
    const others = fleet.all.filter((one) => one !== canary);
    for (const one of [canary, ...others, canary]) {
      await restart(one);
      await fleet.pass(10_000);
    }
    expect(await gated.stage()).toBe(0);
  });

  it('has several processes under one name, which end together', async () => {
    await gated.begin(RESTARTS, HOUR_MS);
    await fleet.pass(3_000);
    const canary = fleet.candidates()[0]!;
    const together = [canary.incarnation, 'worker-1', 'worker-2'];
    for (let time = 0; time < 9; time += 1) {
      canary.incarnation = together[time % 3]!;
      await canary.hello();
      await fleet.pass(1_000);
    }
    await restart(canary);
    await fleet.pass(60_000);
    expect(await gated.stage()).toBe(0);
  });
});

describe('ends that were seen', () => {
  it('do not count any more once the release is resumed, and as many new ones do', async () => {
    await gated.begin([{ kind: 'restarts', onFailure: 'pause' }], HOUR_MS);
    await crashLoop(3_000, 100);
    expect(await gated.stage()).toBe('paused');
    await gated.act('resume');
    await fleet.pass(6_000);
    await restart(fleet.candidates()[0]!);
    await fleet.pass(6_000);
    expect(await gated.stage()).toBe(0);
    await restart(fleet.candidates()[0]!);
    await fleet.pass(6_000);
    expect(await gated.stage()).toBe('paused');
  });

  it('are forgotten with their owner', async () => {
    await gated.begin(RESTARTS, HOUR_MS);
    await fleet.pass(3_000);
    await restart(fleet.candidates()[0]!);
    await fleet.pass(3_000);
    await world.restart();
    await fleet.pass(20_000);
    await restart(fleet.candidates()[0]!);
    await fleet.pass(6_000);
    expect(await gated.stage()).toBe(0);
    await restart(fleet.candidates()[0]!);
    await fleet.pass(6_000);
    expect(await gated.stage()).toBe('idle');
  });

  it('are those of candidates that fall silent, not of a fleet that cannot be heard', async () => {
    await gated.begin(RESTARTS, HOUR_MS);
    await fleet.pass(3_000);
    await restart(fleet.candidates()[0]!);
    await fleet.pass(3_000);
    fleet.all.forEach((one) => one.kill());
    await fleet.pass(40_000);
    expect(await gated.stage()).toBe(0);
    fleet.all.forEach((one) => (one.up = true));
    await fleet.pass(40_000);
    expect(await gated.stage()).toBe(0);
    fleet.candidates()[0]!.kill();
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe('idle');
  });
});
