import type { PreflightView, Prepare } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { PreflightWorld } from '../testing/preflight-world.fixture.js';

let world: EngineWorld;
let fleet: PreflightWorld;
let asked: Prepare[];

beforeEach(async () => {
  world = await claimedWorld();
  fleet = new PreflightWorld(world);
  asked = fleet.asked;
  await world.put('acme/shop', { max: 1 });
  await world.promote('acme/shop');
  await world.over('acme/shop', { max: 2 });
  await world.settle();
});

describe('many', () => {
  it('are asked by what they have in common', async () => {
    for (let at = 0; at < 1_100; at += 1) await fleet.live(`c${at}`);
    await fleet.live('held', { build: 'b2' });
    await fleet.live('held-2', { build: 'b2' });
    const running = fleet.preflight();
    await world.settle();
    fleet.vote('c0');
    await world.pass(50);
    expect(asked[1]).toMatchObject({ kinds: [{ workload: 'shop', build: 'b1' }] });
    expect(asked[1]).not.toHaveProperty('only');
    expect(asked[1]).not.toHaveProperty('cohorts');
    for (let at = 1; at < 1_100; at += 1) fleet.vote(`c${at}`);
    fleet.vote('held-2');
    fleet.vote('held');
    await world.pass(50);
    fleet.vote('held-2');
    expect(await fleet.view(running)).toMatchObject({
      valid: true,
      consumers: { asked: 1_102, accepted: 1_102 },
    });
  });

  it('are asked once, kind by kind, and a scout by name until it is heard', async () => {
    for (const build of ['b1', 'b2', 'b3']) {
      for (let at = 0; at < 150; at += 1) await fleet.live(`${build}-${at}`, { build });
    }
    const running = fleet.preflight();
    await world.settle();
    for (const build of ['b1', 'b2']) {
      fleet.vote(`${build}-0`);
      await world.pass(50);
    }
    const scouts = ['b1-0-1', 'b2-0-1', 'b3-0-1'];
    const whom = () => asked.map(({ only, kinds }) => only ?? kinds);
    expect(whom()).toEqual([
      scouts,
      [{ workload: 'shop', build: 'b1' }],
      [{ workload: 'shop', build: 'b2' }],
    ]);
    for (let at = 1; at < 150; at += 1) {
      if (at !== 7) fleet.vote(`b1-${at}`);
      fleet.vote(`b2-${at}`);
    }
    await world.pass(2_000);
    expect(whom().slice(3)).toEqual([['b3-0-1', 'b1-7-1']]);
    await world.pass(3_000);
    expect(await fleet.view(running)).toMatchObject({ consumers: { accepted: 299, silent: 151 } });
  });
});

describe('answers are waited for', () => {
  const REQUEST = { timeoutMs: 2_000 };
  let running: ReturnType<typeof fleet.preflight>;
  let result: PreflightView | undefined;
  const heard = () => result?.consumers;

  /** The first of so many is asked. */
  async function begun(count: number): Promise<void> {
    for (let at = 0; at < count; at += 1) await fleet.live(`c${at}`);
    result = undefined;
    running = fleet.preflight('acme/shop', REQUEST);
    void fleet.view(running).then((view) => (result = view));
    await world.settle();
  }

  it('for the whole time from when one is asked', async () => {
    await begun(3);
    await world.pass(1_800);
    fleet.vote('c0');
    await world.pass(50);
    const last = asked.at(-1);
    assert(last !== undefined, 'the others are asked');
    expect(last.only).toEqual(['c1-1', 'c2-1']);
    expect(last.deadlineMs).toBe(asked[0]?.deadlineMs);
    fleet.vote('c1');
    await world.pass(1_950);
    expect(heard()).toBeUndefined();
    await world.pass(200);
    expect(heard()).toMatchObject({ asked: 3, accepted: 2, silent: 1 });
  });

  it('on while they come, for as long again at most', async () => {
    await begun(40);
    fleet.vote('c0');
    await world.pass(50);
    for (let at = 1; at < 40; at += 1) {
      fleet.vote(`c${at}`);
      if (at < 39) expect(heard()).toBeUndefined();
      await world.pass(at <= 20 ? 100 : 150);
      if (heard() !== undefined) break;
    }
    expect(heard()).toMatchObject({ asked: 40, accepted: 34, silent: 6 });
  });

  it('no longer when none has come of late', async () => {
    await begun(3);
    fleet.vote('c0');
    await world.pass(50);
    await world.pass(1_900);
    fleet.vote('c1');
    await world.pass(150);
    expect(heard()).toBeUndefined();
    await world.pass(100);
    expect(heard()).toMatchObject({ asked: 3, accepted: 2, silent: 1 });
  });

  it('and asked for again once none comes any more, with the time for it', async () => {
    await begun(20);
    fleet.vote('c0');
    await world.pass(50);
    const before = asked.length;
    for (let at = 1; at < 18; at += 1) {
      fleet.vote(`c${at}`);
      await world.pass(100);
    }
    expect(asked).toHaveLength(before);
    await world.pass(150);
    expect(asked.slice(before)).toMatchObject([{ only: ['c18-1', 'c19-1'], deadlineMs: 666 }]);
    fleet.vote('c18');
    await world.pass(900);
    expect(heard()).toBeUndefined();
    fleet.vote('c19');
    await world.settle();
    expect(heard()).toMatchObject({ asked: 20, accepted: 20 });
  });
});
