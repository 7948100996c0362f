import { address } from '@pawl/contracts';
import type { ReleaseRequest, ReleaseView } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { acceptCopy, HOUR_MS, STAGES, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

const AT = 'acme/app';
const MINUTE_MS = 60_000;
const EXPIRE_MS = 2 * HOUR_MS;
const WEEK_MS = 7 * 24 * HOUR_MS;
const SHORT = { ...(STAGES as object), expireMs: EXPIRE_MS };

let staged: StagedWorld;
let world: EngineWorld;
/** A release of version 2 that may stay paused for two hours. */
beforeEach(async () => {
  staged = await stagedWorld();
  ({ world } = staged);
  await staged.promoted(AT, { a: 1 });
  await staged.begun(AT, { a: 2 }, SHORT);
});

const act = (action: string, more: Partial<ReleaseRequest> = {}): Promise<string> =>
  staged.act(AT, action, more);
const now = (): Promise<ReleaseView> => world.releaseOf(AT);
const state = async (): Promise<string> => (await now()).state;
const expiresAt = async (): Promise<string | undefined> =>
  (await world.rollout(AT)).releases?.[0]?.expiresAt;
const inMs = (ms: number): string => new Date(world.time.wallMs() + ms).toISOString();

/** So much time passes, and the owner looks then. */
async function later(ms: number): Promise<void> {
  world.time.suspend(ms - 1_000);
  await world.pass(1_000);
}

/** It is paused, and its owner sees that a second later. */
async function pause(at = AT): Promise<void> {
  expect(await staged.act(at, 'pause')).toBe('ok');
  await world.pass(1_000);
}

/** The node is away for so long, and the next owner looks at once. */
async function away(ms: number): Promise<void> {
  await world.lose('acme');
  world.time.suspend(ms);
  await world.restart();
  await world.pass(1_000);
}

describe('a release that is paused', () => {
  it('is aborted once it was paused for too long, and not before', async () => {
    const before = await staged.whole(AT);
    const pausedAt = inMs(0);
    await pause();
    expect((await now()).staged).toMatchObject({ expireMs: EXPIRE_MS, pausedAt });
    await later(EXPIRE_MS - 3_000);
    expect(await state()).toBe('paused');
    await later(4_000);
    expect(await now()).toEqual({
      ...{ address: AT, state: 'idle', releaseVersion: 4, stableVersion: 1 },
    });
    const after = await staged.whole(AT);
    expect([before.releases.length, after.releases.length]).toEqual([1, 0]);
    const [aborted] = await world.history(AT);
    expect(aborted).toMatchObject({ action: 'abort', version: 2, author: 'pawl' });
    expect(aborted?.reason).toBe(
      `paused since ${pausedAt}, and it may be for 7200 s: resume in time, or give the strategy a longer expireMs`,
    );
  });

  it('may be for a week unless its strategy says so', async () => {
    await staged.promoted('acme/other', { b: 1 });
    await staged.begun('acme/other', { b: 2 });
    await pause('acme/other');
    const shown = async () => (await world.releaseOf('acme/other')).state;
    await later(WEEK_MS - 3_000);
    expect(await shown()).toBe('paused');
    await later(4_000);
    expect(await shown()).toBe('idle');
  });

  it('shows until when, and asks to be looked at then', async () => {
    const asked: unknown[] = [];
    world.wakeUps = { at: ({ text }, wallMs) => void asked.push([text, wallMs]) };
    expect(await expiresAt()).toBeUndefined();
    const end = inMs(EXPIRE_MS);
    await act('pause');
    expect(asked).toEqual([[AT, Date.parse(end)]]);
    expect(await expiresAt()).toBe(end);
    await later(HOUR_MS);
    expect(await expiresAt()).toBe(end);
    await act('resume');
    expect(await expiresAt()).toBeUndefined();
    expect((await now()).staged).not.toHaveProperty('pausedAt');
  });

  it('and is resumed in time goes on, and has its whole time again', async () => {
    await pause();
    await later(EXPIRE_MS - 2_000);
    await act('resume');
    await later(10_000);
    expect(await state()).toBe('rolling');
    await pause();
    await later(EXPIRE_MS - 3_000);
    expect(await state()).toBe('paused');
    await later(4_000);
    expect(await state()).toBe('idle');
  });

  it('has a time of its own at each pause, also where nobody looked between', async () => {
    await pause();
    world.time.suspend(EXPIRE_MS - 5_000);
    await act('resume');
    await act('pause');
    await later(10_000);
    expect(await state()).toBe('paused');
  });

  it('is aborted although it is frozen, with what was queued behind it', async () => {
    await world.over(AT, { a: 3 });
    expect(await act('promote', { conflict: 'queue' })).toBe('ok');
    await staged.promoted('acme:release-policy', { frozen: 'the sale' });
    await pause();
    await later(EXPIRE_MS + 2_000);
    const { queued, ...rest } = await now();
    expect(rest).toMatchObject({ state: 'idle', stableVersion: 1 });
    expect(queued).toBeUndefined();
  });

  it.each([
    ['forward', WEEK_MS],
    ['back', -WEEK_MS],
  ])('ends at the same time where the clock is set %s under the same owner', async (_, ms) => {
    await pause();
    world.time.setWall(ms);
    await later(EXPIRE_MS - 3_000);
    expect(await state()).toBe('paused');
    await later(4_000);
    expect(await state()).toBe('idle');
  });
});

describe('a release that is paused, over fail-overs and failures', () => {
  it('ends no later under another owner', async () => {
    await pause();
    await later(HOUR_MS);
    const end = await expiresAt();
    await away(HOUR_MS / 2);
    expect(await expiresAt()).toBe(end);
    await later(HOUR_MS / 2 - 5_000);
    expect(await state()).toBe('paused');
    await later(5_000);
    expect(await state()).toBe('idle');
  });

  it('whose time passed meanwhile ends once the owner has seen it for a minute', async () => {
    await act('pause');
    await away(EXPIRE_MS + HOUR_MS);
    await later(MINUTE_MS - 3_000);
    expect(await state()).toBe('paused');
    await later(4_000);
    expect(await state()).toBe('idle');
  });

  it('ends by the time it is given anew where the next owner’s clock is behind', async () => {
    await act('pause');
    world.time.setWall(-WEEK_MS);
    await away(1_000);
    expect(await expiresAt()).toBe(inMs(EXPIRE_MS));
    await later(EXPIRE_MS - 3_000);
    expect(await state()).toBe('paused');
    await later(4_000);
    expect(await state()).toBe('idle');
  });

  it('ends some time after the first sight where a restore paused it', async () => {
    const putBack = world.truth.backup();
    expect(await act('advance')).toBe('ok');
    await acceptCopy(world, putBack);
    await away(WEEK_MS);
    const { state: is, staged: under } = await now();
    expect(is).toBe('paused');
    expect(under).not.toHaveProperty('pausedAt');
    await later(EXPIRE_MS - 3_000);
    expect(await state()).toBe('paused');
    await later(4_000);
    expect(await state()).toBe('idle');
    expect((await world.history(AT))[0]?.reason).toContain('at the latest');
  });

  it('is aborted once, however often it is looked at meanwhile', async () => {
    await pause();
    let goOn = (): void => undefined;
    let attempts = 0;
    world.truth.beforeCommit = async ({ releases }) => {
      if (releases.length === 0) return;
      attempts += 1;
      await new Promise<void>((resolve) => (goOn = resolve));
    };
    await later(EXPIRE_MS);
    for (let look = 0; look < 3; look += 1) await world.use.lookAgain(address(AT));
    await world.pass(3_000);
    expect(attempts).toBe(1);
    world.truth.beforeCommit = () => Promise.resolve();
    goOn();
    await world.pass(3_000);
    expect(await now()).toMatchObject({ state: 'idle', releaseVersion: 4 });
  });

  it('is aborted when its owner is asked to look, without waiting for the next look', async () => {
    await pause();
    world.time.suspend(EXPIRE_MS);
    await world.use.lookAgain(address(AT));
    await world.settle();
    expect(await state()).toBe('idle');
  });

  it('goes on where somebody resumes it as it is to be aborted', async () => {
    await pause();
    world.time.suspend(EXPIRE_MS);
    const resumed = act('resume');
    await world.use.lookAgain(address(AT));
    expect(await resumed).toBe('ok');
    await world.pass(20_000);
    expect(await state()).toBe('rolling');
  });

  it('is tried again after a while where PostgreSQL was away', async () => {
    await pause();
    let attempts = 0;
    world.truth.beforeCommit = ({ releases }) => {
      if (releases.length === 0) return Promise.resolve();
      attempts += 1;
      return Promise.reject(new TruthUnavailableError('down'));
    };
    await later(EXPIRE_MS);
    await world.pass(7_000);
    expect(attempts).toBe(1);
    world.truth.beforeCommit = () => Promise.resolve();
    await world.pass(8_000);
    expect(await state()).toBe('idle');
  });

  it('is not aborted by an owner that was fenced off, nor by one that was stopped', async () => {
    await pause();
    await world.fenceOff('acme');
    const before = world.committed.length;
    await later(EXPIRE_MS + 2_000);
    await world.engine.stop();
    await later(EXPIRE_MS);
    expect(world.committed).toHaveLength(before);
  });
});
