import type { Prepare } from '@pawl/contracts';
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
