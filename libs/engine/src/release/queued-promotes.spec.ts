import type { ReleaseRequest, ReleaseView } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { STAGES, stagedWorld } from '../testing/staged-world.fixture.js';

const AT = 'acme/app';

let world: EngineWorld;
/** Version 1 is stable, 2 to 4 are written. */
beforeEach(async () => {
  ({ world } = await stagedWorld());
  await world.put(AT, { a: 1 });
  await world.promote(AT);
  for (const a of [2, 3, 4]) await world.over(AT, { a });
});

const promote = (targetVersion: number, more: Partial<ReleaseRequest> = {}): Promise<string> =>
  world.release(AT, { action: 'promote', targetVersion, ...more }).then(code);
const now = (): Promise<ReleaseView> => world.releaseOf(AT);
const inMs = (ms: number): string => new Date(world.time.wallMs() + ms).toISOString();

describe('a promote that is queued', () => {
  it('is one: another is refused by name, or takes its place', async () => {
    expect(await promote(2, { strategy: STAGES })).toBe('ok');
    expect(await promote(3, { conflict: 'queue' })).toBe('ok');
    expect(await promote(4, { conflict: 'queue' })).toBe('release-queued');
    expect(await promote(3, { conflict: 'queue' })).toBe('ok');
    expect(await promote(2, { conflict: 'queue', strategy: STAGES })).toBe('ok');
    expect(await promote(2, { conflict: 'queue' })).toBe('release-in-flight');
    expect(await promote(1, { conflict: 'queue' })).toBe('release-in-flight');
    expect((await now()).queued).toMatchObject({ targetVersion: 3 });
    const outcome = await world.release(AT, {
      ...{ action: 'promote', targetVersion: 4, conflict: 'requeue' },
    });
    expect(outcome).toMatchObject({ value: { body: { dropped: { targetVersion: 3 } } } });
    expect((await now()).queued).toMatchObject({ targetVersion: 4 });
    expect(await now()).not.toHaveProperty('dropped');
    expect(await world.history(AT, 2)).toMatchObject([
      { action: 'cancel', version: 3, reason: 'version 4 takes the place of what was queued' },
      { action: 'queue', version: 4 },
    ]);
  });

  it('is not dropped by one that does not say so, and would reach everybody instead', async () => {
    expect(await promote(3, { at: inMs(60_000), strategy: 'canary' })).toBe('ok');
    const before = await now();
    const refused = await world.release(AT, { action: 'promote', targetVersion: 3 });
    expect(refused).toMatchObject({
      problem: {
        code: 'release-queued',
        detail: expect.stringMatching(
          /^version 3 of acme\/app is to begin at .* by the strategy canary, asked for by anonymous, and is dropped by this: cancel it/,
        ) as string,
      },
    });
    expect(await promote(4)).toBe('release-queued');
    expect(await promote(4, { conflict: 'queue' })).toBe('release-queued');
    expect(await promote(4, { strategy: STAGES })).toBe('release-queued');
    expect(await now()).toEqual(before);
    expect(await promote(2)).toBe('ok');
    expect(await now()).toMatchObject({ stableVersion: 2, queued: { targetVersion: 3 } });
    expect(await promote(4, { conflict: 'supersede' })).toBe('ok');
    expect(await now()).toMatchObject({ state: 'idle', stableVersion: 4 });
  });

  it('is dropped by all-at-once where that is named', async () => {
    expect(await promote(3, { at: inMs(60_000), strategy: 'canary' })).toBe('ok');
    const outcome = await world.release(AT, { action: 'promote', strategy: 'all-at-once' });
    expect(outcome).toMatchObject({
      value: { body: { stableVersion: 4, dropped: { targetVersion: 3 } } },
    });
  });

  it('is dropped by one that is to take its place and begins at once, as nothing is under way', async () => {
    expect(await promote(4, { at: inMs(60_000) })).toBe('ok');
    expect(await promote(2, { conflict: 'queue' })).toBe('ok');
    expect(await now()).toMatchObject({ stableVersion: 2, queued: { targetVersion: 4 } });
    expect(await promote(3, { conflict: 'requeue' })).toBe('ok');
    expect(await now()).toMatchObject({ state: 'idle', stableVersion: 3 });
    expect((await now()).queued).toBeUndefined();
    expect(await world.history(AT, 2)).toMatchObject([
      { action: 'cancel', version: 4, reason: 'what was queued is dropped with this promote' },
      { action: 'promote', version: 3 },
    ]);
  });
});
