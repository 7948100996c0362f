import { address } from '@pawl/contracts';
import type { PreviewPromote, PreviewRequest, PreviewView, Strategy } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { FakeFleet } from '../testing/fake-fleet.js';

const THREE: Strategy = {
  stages: [
    { count: 1, bakeMs: 1_000 },
    { percent: 50, bakeMs: 2_000 },
    { percent: 100, bakeMs: 0 },
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
  await fleet.add('acme/app', 'checkout', 8);
  await fleet.add('acme/shop', 'cart', 2);
  await world.over('acme', { acme: 2 });
});

async function preview(request: PreviewRequest, at = 'acme'): Promise<PreviewView> {
  const outcome = await world.use.preview(address(at), request);
  if (!outcome.ok) throw new Error(outcome.problem.code);
  return outcome.value;
}

describe('the preview of a promote', () => {
  it('names whom each stage reaches, and they are reached', async () => {
    const before = world.committed.length;
    const { stages = [], strategy, valid } = await preview({ promote: { strategy: THREE } });
    expect([valid, strategy, world.committed.length]).toEqual([true, 'inline', before]);
    expect(stages.map(({ stage, bakeMs, instances }) => [stage, bakeMs, instances])).toEqual([
      [0, 1_000, 2],
      [1, 2_000, 5],
      [2, 0, 10],
    ]);
    expect(stages[1]).toMatchObject({
      percent: 50,
      byWorkload: [
        { workload: 'checkout', instances: 4, of: 8 },
        { workload: 'cart', instances: 1, of: 2 },
      ],
      addresses: [
        { address: 'acme/app', instances: 4 },
        { address: 'acme/shop', instances: 1 },
      ],
    });
    const told = (upTo: number): string[] =>
      stages.slice(0, upTo).flatMap(({ added }) => added.map((one) => one.consumerId));
    await world.begin('acme', THREE);
    for (const reached of [1, 2]) {
      await world.settle();
      fleet.follow();
      const candidates = fleet.candidates().map(({ ref }) => ref.consumerId);
      expect(candidates.toSorted()).toEqual(told(reached).toSorted());
      await world.release('acme', { action: 'advance' });
    }
  });

  it('has one stage where it reaches everybody at once, of a document that is not written too', async () => {
    const { stages, strategy } = await preview({ promote: {}, document: { acme: 3 } });
    expect(strategy).toBeUndefined();
    expect(stages).toMatchObject([{ stage: 0, percent: 100, instances: 10 }]);
    expect((await preview({})).stages).toBeUndefined();
  });

  it('is refused as the promote would be', async () => {
    const why = async (request: PreviewRequest): Promise<unknown> => {
      const { valid, errors, stages } = await preview(request);
      return [valid, stages, errors[0]?.keyword];
    };
    expect(await why({ promote: { targetVersion: 9 } })).toEqual([
      false,
      undefined,
      'version-unknown',
    ]);
    const both = { promote: { targetVersion: 1 }, document: {} };
    expect(await why(both)).toEqual([false, undefined, 'malformed-request']);
    await world.begin('acme', THREE);
    await world.over('acme', { acme: 3 });
    expect(await why({ promote: { strategy: THREE } })).toEqual([
      false,
      undefined,
      'release-in-flight',
    ]);
    const over = { strategy: THREE, conflict: 'supersede' } as const;
    expect((await preview({ promote: over })).stages).toHaveLength(3);
  });

  describe('of one that begins later', () => {
    /** What a promote is answered with by itself, where it is refused, and what its preview says. */
    const both = async (promote: PreviewPromote): Promise<[refusal: unknown, told: unknown]> => {
      const { valid, errors } = await preview({ promote });
      const outcome = await world.release('acme', { ...promote, action: 'promote' });
      return [outcome.ok ? true : outcome.problem.detail, valid || errors[0]?.message];
    };
    const queue = { strategy: THREE, conflict: 'queue' } as const;
    const inAnHour = (): string => new Date(world.time.wallMs() + 3_600_000).toISOString();

    it('is refused with the words of the queueing', async () => {
      await world.begin('acme', THREE);
      const nothingNewer = await both({ ...queue, strategy: 'canary' });
      expect(nothingNewer[0]).toContain('what is queued has to be newer');
      expect(nothingNewer[1]).toBe(nothingNewer[0]);
      await world.over('acme', { acme: 3 });
      await world.over('acme', { acme: 4 });
      expect((await preview({ promote: queue })).stages).toHaveLength(3);
      expect(await both({ ...queue, targetVersion: 3 })).toEqual([true, true]);
      const second = await both(queue);
      expect(second[0]).toContain('one at a time can be');
      expect(second[1]).toBe(second[0]);
      const past = await both({ strategy: THREE, at: '2000-01-01T00:00:00Z' });
      expect(past[0]).toContain('is not ahead');
      expect(past[1]).toBe(past[0]);
      expect(await both({ ...queue, conflict: 'requeue' })).toEqual([true, true]);
    });

    it('is in the way of one that begins at once, which its preview says too', async () => {
      expect(await both({ strategy: THREE, at: inAnHour() })).toEqual([true, true]);
      for (const at of [{}, { strategy: THREE }, queue]) {
        const [refusal, told] = await both(at);
        expect(refusal).toContain('and is dropped by this: cancel it');
        expect(told).toBe(refusal);
      }
      expect((await preview({ promote: { conflict: 'supersede' } })).valid).toBe(true);
    });

    it('says that nothing would change where it is queued already', async () => {
      await world.begin('acme', THREE);
      await world.over('acme', { acme: 3 });
      await world.release('acme', { ...queue, action: 'promote' });
      expect(await preview({ promote: queue })).toMatchObject({ valid: true });
      expect(await preview({ promote: queue })).not.toHaveProperty('stages');
    });

    it('is not refused for a freeze, which it waits for', async () => {
      await world.put('acme:release-policy', { frozen: 'the sale' });
      await world.promote('acme:release-policy');
      const { valid, stages } = await preview({ promote: { strategy: THREE, at: inAnHour() } });
      expect([valid, stages?.length]).toEqual([true, 3]);
      expect((await preview({ promote: queue })).errors[0]?.keyword).toBe('frozen');
    });
  });

  it('takes the strategy that the policy demands, and says that nothing would change', async () => {
    await world.put('acme:release-policy', { demand: 'canary' });
    await world.promote('acme:release-policy');
    expect(await preview({ promote: {} })).toMatchObject({ valid: true, strategy: 'canary' });
    expect(await preview({ promote: { strategy: 'all-at-once' } })).toMatchObject({
      valid: false,
      errors: [{ keyword: 'strategy-required' }],
    });
    const { valid, stages } = await preview({ promote: {} }, 'acme/app');
    expect([valid, stages]).toEqual([true, undefined]);
  });
});
