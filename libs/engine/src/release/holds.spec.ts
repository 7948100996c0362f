import { judgeSnapshot } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

const AT = 'acme/app';
const BELOW = 'acme/app/eu';

let staged: StagedWorld;
beforeEach(async () => {
  staged = await stagedWorld();
  await staged.promoted(AT, { a: 1 });
  await staged.promoted(BELOW, { b: 1 });
  await staged.fleet.add(AT, 'checkout', 4);
  await staged.fleet.add(BELOW, 'cart', 4);
  await staged.begun(AT, { a: 2 });
});

const hold = (workload: string): Promise<string> =>
  staged.act(AT, 'hold', { workloads: { [workload]: 'it is sick' } });

/** How many instances of a workload run the candidate. */
async function running(workload: string): Promise<number> {
  await staged.fleet.pass(1_000);
  const all = staged.fleet.all.filter(({ ref }) => ref.workload === workload);
  const read = await Promise.all(all.map((one) => staged.readBy(one)));
  expect(all.every(({ held }, at) => held?.cohort === (read[at]?.cohort ?? ''))).toBe(true);
  return read.filter(({ document }) => document?.['a'] === 2).length;
}

describe('a workload that is held', () => {
  it('goes back to the stable version, wherever it is, while the others go on', async () => {
    expect([await running('checkout'), await running('cart')]).toEqual([1, 1]);
    const before = await staged.whole(BELOW);
    expect(await hold('cart')).toBe('ok');
    expect([await running('checkout'), await running('cart')]).toEqual([1, 0]);
    const after = await staged.whole(BELOW);
    expect(after.releases[0]?.held).toEqual(['cart']);
    const own = { installation: after.installation };
    expect(judgeSnapshot(before, after, own)).toMatchObject({ kind: 'accept' });
    expect(await staged.world.rollout(AT)).toMatchObject({
      releases: [{ state: 'rolling', held: { cart: 'it is sick' } }],
    });
    expect((await staged.world.history(AT))[0]).toMatchObject({
      ...{ action: 'hold', version: 2, reason: 'cart: it is sick' },
    });
  });

  it('is not reached by later stages, nor by a new owner, until it is resumed', async () => {
    await hold('cart');
    await staged.act(AT, 'advance');
    expect([await running('checkout'), await running('cart')]).toEqual([2, 0]);
    const { version, hash } = await staged.whole(BELOW);
    await staged.world.restart();
    await staged.fleet.hello();
    expect(await staged.whole(BELOW)).toMatchObject({ version, hash });
    await staged.act(AT, 'skip');
    await staged.fleet.add(BELOW, 'cart', 2);
    expect([await running('checkout'), await running('cart')]).toEqual([4, 0]);
    expect(await staged.act(AT, 'resume')).toBe('ok');
    expect([await running('checkout'), await running('cart')]).toEqual([4, 6]);
    expect((await staged.whole(BELOW)).releases[0]).not.toHaveProperty('held');
  });

  it('keeps the release waiting for whoever held all by hand, and says so', async () => {
    await hold('cart');
    await hold('checkout');
    await staged.fleet.pass(30_000);
    expect(await staged.world.rollout(AT)).toMatchObject({
      releases: [
        {
          state: 'rolling',
          reason:
            'nobody else is there, and held: cart, checkout; ' +
            'resume gives another try, abort takes it back',
        },
      ],
    });
  });

  it('gets what everybody has once the release is ended by hand', async () => {
    await hold('cart');
    await staged.act(AT, 'skip');
    expect(await staged.act(AT, 'advance')).toBe('ok');
    expect([await running('checkout'), await running('cart')]).toEqual([4, 4]);
    expect(await staged.world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 2 });
  });
});
