import { address } from '@pawl/contracts';
import type { ReleaseRequest, ReleaseView } from '@pawl/contracts';
import { createSchemaValidator } from '@pawl/validation';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { OutcomeUnknownError, TruthUnavailableError } from '../sharding/truth-store.port.js';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { acceptCopy, HOUR_MS, STAGES, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

const AT = 'acme/app';
const POLICY = 'acme:release-policy';
const DAY_MS = 24 * HOUR_MS;

let staged: StagedWorld;
let world: EngineWorld;
/** Version 1 is stable, 2 to 4 are written. */
beforeEach(async () => {
  staged = await stagedWorld();
  ({ world } = staged);
  await world.put(AT, { a: 1 });
  await world.promote(AT);
  for (const a of [2, 3, 4]) await world.over(AT, { a });
});

const act = (action: string, more: Partial<ReleaseRequest> = {}): Promise<string> =>
  world.release(AT, { action, ...more }).then(code);
const promote = (targetVersion: number, more: Partial<ReleaseRequest> = {}): Promise<string> =>
  act('promote', { targetVersion, ...more });
const now = (): Promise<ReleaseView> => world.releaseOf(AT);
const inMs = (ms: number): string => new Date(world.time.wallMs() + ms).toISOString();
const lines = async (limit: number): Promise<unknown[]> =>
  (await world.history(AT, limit)).map(({ action, version, author }) => [action, version, author]);

async function policy(document: object): Promise<void> {
  await staged.promoted(POLICY, document as never);
}

/** Version 4 breaks a schema below. */
async function capped(): Promise<void> {
  await world.put('acme/app/eu', {});
  await world.putSchema(
    'acme/app/eu',
    { properties: { a: { maximum: 3 } } },
    { kind: 'match-any' },
  );
  await world.promote('acme/app/eu');
}

/** Version 2 in stages; and version 3 behind it. */
async function queued(more: Partial<ReleaseRequest> = {}): Promise<void> {
  expect(await promote(2, { strategy: STAGES })).toBe('ok');
  expect(await promote(3, { conflict: 'queue', ...more })).toBe('ok');
}

describe('a promote while a release in stages is under way', () => {
  it('is refused, or is queued behind it and shown', async () => {
    expect(await promote(2, { strategy: STAGES })).toBe('ok');
    expect(await promote(3)).toBe('release-in-flight');
    const before = await world.published(AT);
    const outcome = await world.use.release(
      address(AT),
      { action: 'promote', targetVersion: 3, conflict: 'queue', reason: 'the sale' },
      { actor: 'ann' },
    );
    const who = { by: 'ann', reason: 'the sale', queuedAt: inMs(0) };
    const shown = { targetVersion: 3, strategy: 'all-at-once', ...who };
    expect(outcome).toMatchObject({ value: { body: { state: 'rolling', queued: shown } } });
    const view = await now();
    expect(view.queued).toMatchObject(shown);
    expect(view.queued?.waitsFor).toContain('the end of release');
    expect((await world.rollout(AT)).queued).toEqual(view.queued);
    expect(await world.published(AT)).toEqual(before);
    expect(await world.history(AT)).toMatchObject([
      { action: 'queue', version: 3, author: 'ann', reason: 'the sale', message: 'all-at-once' },
    ]);
    await world.pass(5_000);
    expect(await now()).toEqual(view);
  });

  it('begins once that has reached everybody, as who asked for it and under its name', async () => {
    await policy({ strategies: { slow: STAGES } });
    await queued({ strategy: 'slow', reason: 'the sale' });
    const { id } = (await now()).queued ?? {};
    await act('skip');
    await world.pass(3_000);
    expect((await now()).queued?.id).toBe(id);
    await act('advance');
    await world.pass(1_000);
    const { state, stableVersion, candidate, staged: under, queued: rest } = await now();
    expect({ state, stableVersion, candidate }).toEqual({
      ...{ state: 'rolling', stableVersion: 2, candidate: 3 },
    });
    expect(under).toMatchObject({ id, strategy: 'slow', stage: 0 });
    expect(rest).toBeUndefined();
    const [begun] = await world.history(AT);
    expect(begun).toMatchObject({ action: 'promote', version: 3, author: 'anonymous' });
    expect(begun?.reason).toMatch(/^queued at .*, begun by pawl: the sale$/);
    await world.pass(5_000);
    expect(await lines(1)).toEqual([['promote', 3, 'anonymous']]);
  });

  it('takes the strategy as it was then, whatever becomes of its name', async () => {
    await policy({ strategies: { slow: STAGES } });
    await queued({ strategy: 'slow' });
    const stages = [{ count: 1 }, { percent: 50 }, { percent: 100 }];
    await policy({ strategies: { slow: { preset: 'linear' } } });
    await act('skip');
    await act('advance');
    await world.pass(1_000);
    expect((await now()).staged).toMatchObject({ strategy: 'slow', stages });
  });

  it.each([
    ['abort', {}],
    ['rollback', { targetVersion: 1 }],
    ['disable', {}],
    ['block', { targetVersion: 2 }],
    ['block', { targetVersion: 3 }],
    ['promote', { targetVersion: 4, strategy: 'all-at-once' }],
    ['promote', { targetVersion: 4, strategy: STAGES, conflict: 'supersede' as const }],
  ])('is dropped with %s %j, and the history says so', async (action, more) => {
    await queued();
    expect(await act(action, more)).toBe('ok');
    expect((await now()).queued).toBeUndefined();
    const [dropped, why] = await world.history(AT, 2);
    const { releaseVersion } = await now();
    expect(dropped).toMatchObject({ action: 'cancel', version: 3, releaseVersion });
    expect(dropped?.reason).toContain(action);
    expect(why).toMatchObject({ action, releaseVersion });
    await world.pass(5_000);
    expect((await now()).releaseVersion).toBe(releaseVersion);
  });

  it('waits while that is paused', async () => {
    await queued();
    expect(await act('pause')).toBe('ok');
    await world.pass(10_000);
    expect(await now()).toMatchObject({ state: 'paused', queued: { targetVersion: 3 } });
  });

  it('is cancelled by name, and there is nothing to cancel then', async () => {
    await queued();
    expect(await act('cancel', { reason: 'not today' })).toBe('ok');
    expect(await now()).toMatchObject({ state: 'rolling', candidate: 2 });
    expect(await world.history(AT)).toMatchObject([
      { action: 'cancel', version: 3, reason: 'not today' },
    ]);
    expect(await act('cancel')).toBe('invalid-transition');
  });

  it('is judged by the schemas as it is queued, and changes nothing then', async () => {
    await capped();
    await queued();
    const before = await now();
    expect(await promote(4, { conflict: 'requeue' })).toBe('schema-violation');
    expect(await now()).toEqual(before);
  });

  it('begins at once where nothing is under way', async () => {
    expect(await promote(2, { conflict: 'queue' })).toBe('ok');
    expect(await now()).toMatchObject({ state: 'idle', stableVersion: 2 });
  });

  it('is listed, and found by its state', async () => {
    await queued();
    await staged.promoted('acme/other', { b: 1 });
    await world.over('acme/other', { b: 2 });
    await world.release('acme/other', { action: 'promote', at: inMs(HOUR_MS) });
    const list = async (state?: 'rolling' | 'queued') => {
      const outcome = await world.use.listReleases({
        limit: 10,
        ...(state === undefined ? {} : { state }),
      });
      if (!outcome.ok) throw new Error(outcome.problem.detail);
      return outcome.value.items;
    };
    const [first, second, ...more] = await list();
    expect(more).toEqual([]);
    expect(first).toMatchObject({ address: AT, state: 'rolling', queued: { targetVersion: 3 } });
    expect(second).toMatchObject({ address: 'acme/other', state: 'queued', candidate: 2 });
    expect(await list('rolling')).toEqual([first]);
    expect(await list('queued')).toEqual([first, second]);
  });
});

describe('a promote at a time', () => {
  it('begins when the clock says so, and not before', async () => {
    const at = inMs(60_000);
    expect(await promote(2, { at, reason: 'at night' })).toBe('ok');
    expect((await now()).queued).toMatchObject({ targetVersion: 2, at, waitsFor: 'its time' });
    expect(await world.history(AT)).toMatchObject([
      { action: 'schedule', version: 2, message: `all-at-once, to begin at ${at}` },
    ]);
    await world.pass(58_000);
    expect(await now()).toMatchObject({ stableVersion: 1 });
    await world.pass(3_000);
    expect(await now()).toMatchObject({ state: 'idle', stableVersion: 2, releaseVersion: 3 });
    const [begun] = await world.history(AT);
    expect(begun?.reason).toBe(`scheduled for ${at}, begun by pawl: at night`);
  });

  it('promotes what was newest then', async () => {
    expect(await act('promote', { at: inMs(1_000) })).toBe('ok');
    await world.over(AT, { a: 5 });
    await world.pass(3_000);
    expect(await now()).toMatchObject({ stableVersion: 4 });
  });

  it.each([
    ['past', -1],
    ['now', 0],
    ['too far', 90 * DAY_MS + 1],
  ])('is refused for a time that is %s', async (_, ms) => {
    expect(await promote(2, { at: inMs(ms) })).toBe('malformed-request');
    expect(await promote(2, { at: inMs(90 * DAY_MS) })).toBe('ok');
  });

  it('takes any way to write a time, but none that is no time', async () => {
    expect(await promote(2, { at: '2026-01-01T25:00:00Z' })).toBe('malformed-request');
    const at = '2026-01-02T02:00:00+02:00';
    expect(await promote(2, { at })).toBe('ok');
    expect((await now()).queued?.at).toBe('2026-01-02T00:00:00.000Z');
    expect(await promote(2, { at: '2026-01-02T00:00:00Z' })).toBe('ok');
    expect((await now()).releaseVersion).toBe(2);
  });

  it('goes with no supersede, and with no other action', async () => {
    const at = inMs(1_000);
    expect(await promote(2, { at, conflict: 'supersede' })).toBe('malformed-request');
    expect(await act('rollback', { targetVersion: 1, at })).toBe('malformed-request');
  });

  it('waits for a release in stages that is under way, and begins then', async () => {
    await promote(2, { strategy: STAGES });
    await promote(3, { at: inMs(2_000) });
    await world.pass(10_000);
    expect(await now()).toMatchObject({ candidate: 2, queued: { targetVersion: 3 } });
    await act('skip');
    await act('advance');
    await world.pass(1_000);
    expect(await now()).toMatchObject({ state: 'idle', stableVersion: 3 });
  });

  it('waits while it is frozen, and says so', async () => {
    await promote(2, { at: inMs(2_000) });
    await policy({ frozen: 'the sale' });
    await world.pass(30_000);
    expect((await now()).queued).toMatchObject({ targetVersion: 2, waitsFor: 'frozen: the sale' });
    expect(world.logged).not.toContain(
      'a promote that was queued could not begin; will be tried again',
    );
    await policy({ frozen: null });
    await world.pass(1_000);
    expect(await now()).toMatchObject({ stableVersion: 2 });
  });

  it('may be asked for while it is frozen, and begins so with an exception', async () => {
    await policy({ frozen: 'the sale' });
    expect(await promote(2)).toBe('frozen');
    expect(await promote(2, { at: inMs(2_000), freezeException: 'agreed' })).toBe('ok');
    await world.pass(3_000);
    expect(await now()).toMatchObject({ stableVersion: 2 });
    expect((await world.history(AT))[0]?.reason).toContain('freeze exception: agreed');
  });

  it('is dropped where a schema refuses it by then, and the history says why', async () => {
    await promote(4, { at: inMs(60_000) });
    await capped();
    await world.pass(62_000);
    expect(await now()).toMatchObject({ state: 'idle', stableVersion: 1, releaseVersion: 3 });
    expect((await now()).queued).toBeUndefined();
    const [dropped] = await world.history(AT);
    expect(dropped).toMatchObject({ action: 'cancel', version: 4, author: 'pawl' });
    expect(dropped?.reason).toContain('schema-violation');
    expect(dropped?.reason).toContain('acme/app/eu/a');
  });

  it('is dropped where the policy demands stages by then', async () => {
    await promote(2, { at: inMs(60_000) });
    await policy({ demand: 'canary' });
    await world.pass(62_000);
    expect(await now()).toMatchObject({ state: 'idle', stableVersion: 1 });
    expect((await world.history(AT))[0]?.reason).toContain('strategy-required');
  });

  it('waits where too many releases are under way on the way', async () => {
    for (const at of ['acme', 'acme/app/x', 'acme/app/x/y']) await staged.promoted(at, { b: 1 });
    await promote(2, { at: inMs(60_000), strategy: STAGES });
    for (const at of ['acme', 'acme/app/x', 'acme/app/x/y']) await staged.begun(at, { b: 2 });
    await world.pass(75_000);
    expect((await now()).queued?.waitsFor).toContain('too-many-releases');
    await staged.act('acme', 'abort');
    await world.pass(11_000);
    expect(await now()).toMatchObject({ state: 'rolling', candidate: 2 });
  });

  it.each([
    ['forward', 3_600_000],
    ['back', -7_200_000],
  ])('begins once where the clock is set %s after it', async (_, ms) => {
    await promote(2, { at: inMs(2_000) });
    await world.pass(3_000);
    const { releaseVersion } = await now();
    world.time.setWall(ms);
    await world.pass(5_000);
    expect((await now()).releaseVersion).toBe(releaseVersion);
  });

  it('begins by the clock as it is: later where it was set back, at once where it was set forward', async () => {
    await promote(2, { at: inMs(10_000) });
    world.time.setWall(-20_000);
    await world.pass(15_000);
    expect(await now()).toMatchObject({ stableVersion: 1 });
    world.time.setWall(20_000);
    await world.pass(1_000);
    expect(await now()).toMatchObject({ stableVersion: 2 });
  });

  it('asks to be looked at when its time has come', async () => {
    const asked: unknown[] = [];
    world.wakeUps = { at: ({ text }, wallMs) => void asked.push([text, wallMs]) };
    await promote(2, { at: inMs(60_000) });
    expect(asked).toEqual([[AT, world.time.wallMs() + 60_000]]);
  });
});

describe('what is queued, over fail-overs and failures', () => {
  it('is taken over by the next owner, which begins it', async () => {
    await promote(2, { at: inMs(5_000), strategy: STAGES });
    const { id } = (await now()).queued ?? {};
    await world.restart();
    expect((await now()).queued?.id).toBe(id);
    await world.pass(7_000);
    await world.restart();
    await world.pass(3_000);
    expect(await now()).toMatchObject({ staged: { id }, releaseVersion: 3 });
  });

  it('begins under the next owner where its time passed meanwhile', async () => {
    await promote(2, { at: inMs(5_000) });
    await world.lose('acme');
    await world.pass(60_000);
    await world.claimAll();
    await world.pass(1_000);
    expect(await now()).toMatchObject({ stableVersion: 2 });
  });

  it('begins once, however often it is looked at meanwhile', async () => {
    await promote(2, { at: inMs(1_000), strategy: STAGES });
    let goOn = (): void => undefined;
    let attempts = 0;
    world.truth.beforeCommit = async ({ releases }) => {
      if (releases.length === 0) return;
      attempts += 1;
      await new Promise<void>((resolve) => (goOn = resolve));
    };
    await world.pass(3_000);
    for (let look = 0; look < 3; look += 1) await world.use.lookAgain(address(AT));
    await world.pass(3_000);
    expect(attempts).toBe(1);
    world.truth.beforeCommit = () => Promise.resolve();
    goOn();
    await world.pass(3_000);
    expect((await now()).releaseVersion).toBe(3);
  });

  it('is tried again after a while where PostgreSQL was away', async () => {
    await promote(2, { at: inMs(1_000) });
    let attempts = 0;
    world.truth.beforeCommit = ({ releases }) => {
      if (releases.length === 0) return Promise.resolve();
      attempts += 1;
      return Promise.reject(new TruthUnavailableError('down'));
    };
    await world.pass(8_000);
    expect(attempts).toBe(1);
    expect((await now()).queued?.waitsFor).toContain('truth-unavailable');
    world.truth.beforeCommit = () => Promise.resolve();
    await world.pass(8_000);
    expect(await now()).toMatchObject({ stableVersion: 2 });
  });

  it('is tried again after a while where checking it was cut off', async () => {
    await capped();
    await promote(2, { at: inMs(1_000) });
    const validator = createSchemaValidator();
    const cutOff = vi
      .spyOn(Object.getPrototypeOf(validator) as typeof validator, 'validate')
      .mockResolvedValue({ kind: 'timeout', afterMs: 1_000 });
    await world.pass(3_000);
    expect((await now()).queued?.waitsFor).toContain('validation-timeout');
    cutOff.mockRestore();
    await world.pass(12_000);
    expect(await now()).toMatchObject({ stableVersion: 2 });
    await validator.close();
  });

  it('begins once where nobody knows at first whether it did', async () => {
    await promote(2, { at: inMs(1_000), strategy: STAGES });
    world.truth.afterCommit = ({ releases }) => {
      if (releases.length > 0) throw new OutcomeUnknownError('gone');
    };
    await world.pass(3_000);
    world.truth.afterCommit = () => undefined;
    await world.restart();
    await world.pass(7_000);
    expect(await now()).toMatchObject({ state: 'rolling', candidate: 2, releaseVersion: 3 });
  });

  it('is not begun by an owner that was fenced off meanwhile', async () => {
    await promote(2, { at: inMs(2_000) });
    await world.fenceOff('acme');
    const before = world.committed.length;
    await world.pass(10_000);
    expect(world.committed).toHaveLength(before);
  });

  it('is dropped after a restore: it may have been cancelled since the copy was made', async () => {
    await promote(2, { at: inMs(5_000) });
    const putBack = world.truth.backup();
    expect(await act('cancel')).toBe('ok');
    await acceptCopy(world, putBack);
    await world.restart();
    await world.pass(7_000);
    expect(await now()).toMatchObject({ stableVersion: 1 });
    expect((await now()).queued).toBeUndefined();
    expect((await world.history(AT))[0]?.reason).toContain('before a restore was accepted');
  });

  it('is not begun after the owner was stopped', async () => {
    await promote(2, { at: inMs(2_000) });
    await world.engine.stop();
    const before = world.committed.length;
    await world.pass(10_000);
    expect(world.committed).toHaveLength(before);
  });
});
