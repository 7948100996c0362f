import type { Gate } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { gatedWorld } from '../testing/gated-world.fixture.js';
import type { GatedWorld } from '../testing/gated-world.fixture.js';

const AT = 'acme/app';
const HOUR_MS = 3_600_000;

let gated: GatedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  gated = await gatedWorld(AT);
  ({ world, fleet } = gated);
  await fleet.add(AT, 'checkout', 4);
  await fleet.add(AT, 'cart', 4);
  await fleet.pass(1_000);
});

/** From now on these requests a second fail, of ten, of the candidates of a workload. */
function serve(failing: number, workload = 'checkout'): void {
  for (const one of fleet.all) {
    const isSick = one.ref.workload === workload;
    one.serves = (cohort) => ({
      ...{ requests: 10, latencyMs: 20 },
      errors: isSick && cohort !== '' ? failing : 0,
    });
  }
}

const ERRORS: Gate = { kind: 'errors', maxPercent: 20, minRequests: 20, onFailure: 'abort' };

describe('a gate of errors', () => {
  it('stops a release by what services report of candidates, with the numbers', async () => {
    serve(6);
    await gated.begin([ERRORS], HOUR_MS);
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe('idle');
    expect(await gated.last()).toMatch(
      /^pawl abort: 30 % of \d+ requests failed, at most 20 % may$/,
    );
  });

  it('waits while there are few requests, and then lets the release go on', async () => {
    await gated.begin([ERRORS]);
    await fleet.pass(30_000);
    expect(await gated.stage()).toBe(0);
    expect(await gated.gates()).toMatchObject([
      { kind: 'errors', outcome: 'inconclusive', failures: 0 },
    ]);
    expect((await gated.shown())?.reason).toBe(
      '0 requests of candidates are known of, 20 are needed',
    );
    serve(1);
    await fleet.pass(30_000);
    expect(await gated.stage()).not.toBe(0);
    expect(await gated.gates()).toMatchObject([{ outcome: 'pass', value: 5, limit: 20 }]);
  });

  it('holds the workload that is sick while the others go on, and judges them without it', async () => {
    serve(9);
    await gated.begin([{ ...ERRORS, onFailure: 'hold' }]);
    await fleet.pass(20_000);
    const lines = await world.history(AT, 5);
    expect(lines.find(({ action }) => action === 'hold')).toMatchObject({
      author: 'pawl',
      reason: expect.stringMatching(/^checkout: 90 % of \d+ requests failed/) as unknown,
    });
    await fleet.pass(120_000);
    expect(await world.releaseOf(AT)).toMatchObject({
      ...{ state: 'rolling', stableVersion: 1, staged: { stage: 2 } },
      staged: { held: { checkout: expect.stringContaining('90 %') as unknown } },
    });
    const runs = (workload: string): number =>
      fleet.candidates().filter(({ ref }) => ref.workload === workload).length;
    expect([runs('checkout'), runs('cart')]).toEqual([0, 4]);
    expect((await gated.shown())?.reason).toMatch(/^held: checkout; /);
    expect(await gated.gates()).toMatchObject([{ outcome: 'pass', value: 0 }]);
    serve(0);
    expect(await gated.act('resume')).toBe('ok');
    await fleet.pass(60_000);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 2 });
  });

  it('aborts a release once no workload would go on with it', async () => {
    serve(9, 'cart');
    await gated.begin([{ ...ERRORS, onFailure: 'hold' }], HOUR_MS);
    await fleet.pass(20_000);
    expect(await gated.last()).toMatch(/^pawl hold: cart: /);
    serve(9, 'checkout');
    await fleet.pass(20_000);
    expect(await gated.last()).toMatch(
      /^pawl abort: no workload would go on with it, and the others are held: of checkout \d/,
    );
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 1 });
  });

  it('holds one that is alone at fault as long as others are only to be reached', async () => {
    serve(9, 'cart');
    await fleet.add(AT, 'api', 2, { region: 'eu' });
    const first = { count: 1, selector: { region: ['eu'] } };
    for (const one of fleet.all) {
      one.serves = (cohort) => ({ requests: 10, errors: cohort === '' ? 0 : 9, latencyMs: 9 });
    }
    await gated.begin([{ ...ERRORS, onFailure: 'hold' }], HOUR_MS, first);
    await fleet.pass(20_000);
    expect(await gated.last()).toMatch(/^pawl hold: api: /);
    expect(await gated.stage()).toBe(0);
    await gated.act('skip');
    await fleet.pass(20_000);
    expect(await gated.last()).toMatch(
      /^pawl abort: no workload would go on with it, and the others are held: /,
    );
  });

  it('has forgotten what was wrong once somebody resumes the release', async () => {
    serve(9);
    await gated.begin([{ ...ERRORS, onFailure: 'pause' }], HOUR_MS);
    await fleet.pass(20_000);
    expect(await gated.stage()).toBe('paused');
    serve(0);
    await fleet.pass(6_000);
    await gated.act('resume');
    await fleet.pass(40_000);
    expect(await gated.stage()).toBe(0);
    expect(await gated.gates()).toMatchObject([{ outcome: 'pass', failures: 0 }]);
  });
});

describe('the options of a gate', () => {
  const sick = (isSick: boolean): void =>
    fleet.all.forEach((one) => (one.judge = () => (isSick ? 'no' : null)));
  const rejections = (more: Partial<Gate>): Gate[] => [
    { kind: 'rejections', limit: 0, onFailure: 'pause', ...more },
  ];

  it('let it fail as often in a row as is said, at its interval', async () => {
    sick(true);
    await gated.begin(rejections({ failureLimit: 3, intervalMs: 10_000 }), HOUR_MS);
    await fleet.pass(18_000);
    expect(await gated.stage()).toBe(0);
    expect((await gated.shown())?.reason).toMatch(/^failed 2 of 3 times: .* rejected it: no$/);
    expect(await gated.gates()).toMatchObject([{ outcome: 'fail', failures: 2 }]);
    await fleet.pass(6_000);
    expect(await gated.stage()).toBe('paused');
  });

  it('leave it unjudged at the beginning of each stage, which does not end before', async () => {
    sick(true);
    await gated.begin(rejections({ initialDelayMs: 20_000 }), 0);
    await fleet.pass(15_000);
    expect(await gated.stage()).toBe(0);
    expect(await gated.gates()).toEqual([]);
    await fleet.pass(10_000);
    expect(await gated.stage()).toBe('paused');
  });

  it('bake meanwhile, and go on once it passes', async () => {
    await gated.begin(rejections({ initialDelayMs: 20_000 }));
    await fleet.pass(15_000);
    expect(await gated.shown()).toMatchObject({
      ...{ stage: 0, bakeLeftMs: 0 },
      reason: expect.stringMatching(/^rejections is judged in \d+ s$/) as unknown,
    });
    await fleet.pass(10_000);
    expect(await gated.stage()).toBe(1);
  });

  it('stop nothing in a dry run, and tell the history once a stage what it would have done', async () => {
    sick(true);
    await gated.begin(rejections({ dryRun: true, onFailure: 'abort' }), HOUR_MS);
    await fleet.pass(20_000);
    expect(await gated.stage()).toBe(0);
    expect(await gated.gates()).toMatchObject([{ outcome: 'fail', dryRun: true }]);
    const { staged } = await world.releaseOf(AT);
    const told = async (): Promise<number> =>
      (await world.history(AT, 20)).filter(
        ({ action, releaseId }) => action === 'dry-run' && releaseId === staged?.id,
      ).length;
    expect(await told()).toBe(1);
    expect(await gated.last()).toMatch(
      /^pawl dry-run: rejections would have made it abort: 2 of 2 candidates rejected it: no$/,
    );
    await gated.act('advance');
    await fleet.pass(20_000);
    expect([await gated.stage(), await told()]).toEqual([1, 2]);
  });

  it('end a release of which nothing is known for too long', async () => {
    await gated.begin([{ ...ERRORS, onInconclusive: 'abort', inconclusiveMs: 30_000 }], HOUR_MS);
    await fleet.pass(25_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(15_000);
    expect(await gated.stage()).toBe('idle');
    expect(await gated.last()).toBe(
      'pawl abort: nothing is known for 30 s: 0 requests of candidates are known of, 20 are needed',
    );
  });

  it('hold a workload that rejects, alone', async () => {
    for (const one of fleet.all) {
      one.judge = (_, cohort) => (one.ref.workload === 'cart' && cohort !== '' ? 'no' : null);
    }
    await gated.begin(rejections({ onFailure: 'hold' }));
    await fleet.pass(90_000);
    expect(await world.releaseOf(AT)).toMatchObject({
      staged: { stage: 2, held: { cart: '1 of 1 candidates rejected it: no' } },
    });
  });

  it('count the failures in a row of a workload on while others are held', async () => {
    const sickness = (name: string): void => {
      for (const one of fleet.all) {
        if (one.ref.workload !== name || one.held?.cohort === '') continue;
        Object.assign(one, {
          incarnation: `${one.incarnation}-sick`,
          judge: () => 'no',
          held: null,
        });
      }
    };
    await fleet.add(AT, 'api', 4);
    await fleet.pass(1_000);
    await gated.begin(
      rejections({ onFailure: 'hold', failureLimit: 3, intervalMs: 10_000 }),
      HOUR_MS,
    );
    await fleet.pass(5_000);
    const held = async (): Promise<string[]> => {
      const { staged } = await world.releaseOf(AT);
      return Object.keys(staged?.held ?? {});
    };
    sickness('cart');
    await fleet.pass(10_000);
    sickness('checkout');
    await fleet.pass(17_000);
    expect(await held()).toEqual(['cart']);
    await fleet.pass(11_000);
    expect(await held()).toEqual(['cart', 'checkout']);
  });

  it('let the strongest of those that fail decide', async () => {
    sick(true);
    serve(9);
    await fleet.add(AT, 'api', 1);
    await gated.begin([...rejections({ onFailure: 'hold', intervalMs: 60_000 }), ERRORS], HOUR_MS);
    await fleet.pass(1_000);
    expect(await gated.last()).toMatch(/^pawl hold/);
    const other = rejections({ onFailure: 'abort', limit: 0 });
    await gated.act('abort');
    await gated.begin([{ kind: 'lost', onFailure: 'hold' }, ...other], HOUR_MS);
    await fleet.pass(1_000);
    expect(await gated.last()).toMatch(/^pawl abort: .* rejected it/);
  });
});

describe('a gate of approval', () => {
  it('waits for a person in each stage that needs one, and bakes meanwhile', async () => {
    await gated.begin([{ kind: 'approval', stages: [0, 1] }], 5_000);
    await fleet.pass(20_000);
    expect(await gated.shown()).toMatchObject({
      ...{ stage: 0, bakeLeftMs: 0, reason: 'it waits for somebody to approve this stage' },
    });
    expect(await gated.act('approve', { reason: 'looks well' })).toBe('ok');
    await fleet.pass(2_000);
    expect(await gated.stage()).toBe(1);
    await fleet.pass(20_000);
    expect(await gated.stage()).toBe(1);
    await gated.act('approve');
    await fleet.pass(2_000);
    expect(await gated.act('approve')).toBe('invalid-transition');
    await fleet.pass(10_000);
    expect(await gated.stage()).toBe('idle');
  });
});
