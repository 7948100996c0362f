import type { Gate, Strategy } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { gatedWorld } from '../testing/gated-world.fixture.js';
import type { GatedWorld } from '../testing/gated-world.fixture.js';

const AT = 'acme/app';
const STAGES = [{ count: 1 }, { percent: 100, bakeMs: 10_000 }];

let gated: GatedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  gated = await gatedWorld(AT);
  ({ world, fleet } = gated);
  await fleet.add(AT, 'checkout', 4);
  await fleet.pass(20_000);
});

const stuck = (isStuck: boolean): void => fleet.all.forEach((one) => (one.isStuck = isStuck));

/** A release that may stand still for a minute. */
async function begin(gates: readonly Gate[] = [], more: object = {}): Promise<void> {
  const strategy: Strategy = { stages: STAGES, gates, preflight: false, progressMs: 60_000 };
  expect(code(await world.begin(AT, { ...strategy, ...more }))).toBe('ok');
  await world.settle();
}

describe('a release that makes no progress', () => {
  it('is paused with what it waits for, and ends when it was paused too long', async () => {
    stuck(true);
    await begin([], { expireMs: 120_000 });
    expect((await world.releaseOf(AT)).staged).toMatchObject({ progressMs: 60_000 });
    await fleet.pass(55_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(15_000);
    expect(await gated.last()).toBe(
      'pawl pause: no progress for 60 s: of checkout no candidate has applied it',
    );
    await fleet.pass(130_000);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 1 });
  });

  it('may be an hour when nothing is said, or as long as its most patient gate', async () => {
    stuck(true);
    await begin([], { progressMs: undefined });
    await fleet.pass(3_590_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(30_000);
    expect(await gated.last()).toContain('no progress for 3600 s');
  }, 120_000);

  it('is one whose gate never knows, and whose fleet is gone', async () => {
    await begin([{ kind: 'errors', maxPercent: 1 }]);
    await fleet.pass(70_000);
    expect(await gated.last()).toContain('no progress for 60 s: 0 requests of candidates');
    await gated.act('resume');
    for (const one of fleet.all) await one.leave();
    await fleet.pass(70_000);
    expect(await gated.last()).toContain('no progress for 60 s: no live instance has been reached');
  });

  it('is one that has come to its last stage without a workload that is held', async () => {
    await fleet.add(AT, 'cart', 2);
    await begin();
    expect(await gated.act('hold', { workloads: { cart: 'too slow' } })).toBe('ok');
    await fleet.pass(60_000);
    expect(await gated.stage()).toBe(1);
    await fleet.pass(40_000);
    expect(await gated.last()).toContain('no progress for 60 s: held: cart');
  });

  it('has the whole time again when it is resumed, and under another owner', async () => {
    stuck(true);
    await begin();
    await fleet.pass(50_000);
    await world.restart();
    await fleet.pass(50_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(20_000);
    expect(await gated.stage()).toBe('paused');
    await gated.act('resume');
    await fleet.pass(55_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(15_000);
    expect(await gated.stage()).toBe('paused');
  });
});

describe('what is no standstill', () => {
  it('is a bake, however long', async () => {
    await begin([], { stages: [{ count: 1, bakeMs: 600_000 }, { percent: 100 }] });
    await fleet.pass(300_000);
    expect(await gated.stage()).toBe(0);
  });

  it('are candidates that apply it one after the other', async () => {
    await begin([{ kind: 'applied', percent: 100, withinMs: 3_600_000 }], {
      stages: [{ percent: 100 }],
    });
    stuck(true);
    for (const one of fleet.all) {
      one.held = null;
      await one.hello();
    }
    await gated.act('pause');
    await fleet.pass(2_000);
    await gated.act('resume');
    for (const one of fleet.all.slice(1)) {
      await fleet.pass(40_000);
      one.isStuck = false;
    }
    await fleet.pass(50_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(20_000);
    expect(await gated.stage()).toBe('paused');
  });

  it('is the wait for somebody, and for the end of a freeze', async () => {
    await begin([{ kind: 'approval', stages: [0] }]);
    await fleet.pass(300_000);
    expect(await gated.stage()).toBe(0);
    await world.put('acme:release-policy', { frozen: 'an audit' });
    await world.promote('acme:release-policy');
    stuck(true);
    expect(await gated.act('approve')).toBe('ok');
    await fleet.pass(300_000);
    expect(await gated.stage()).toBe(0);
    expect((await gated.shown())?.reason).toContain('frozen: an audit');
  });

  it('is the time in which NATS is away', async () => {
    stuck(true);
    await begin();
    await fleet.pass(30_000);
    world.publisher.up = false;
    await fleet.pass(300_000);
    world.publisher.up = true;
    await fleet.pass(25_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(15_000);
    expect(await gated.stage()).toBe('paused');
  });
});
