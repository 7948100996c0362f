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
