import { beforeEach, describe, expect, it, vi } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const AT = 'acme/app';
const STAGES = { stages: [{ count: 1 }, { percent: 100 }], gates: [] };

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put(AT, { a: 1 });
  for (const a of [2, 3, 4, 5, 6]) await world.over(AT, { a });
});

const back = (): ReturnType<EngineWorld['release']> => world.release(AT, { action: 'rollback' });
const stable = async (): Promise<number | null> => (await world.releaseOf(AT)).stableVersion;

async function all(...versions: readonly number[]): Promise<void> {
  for (const version of versions) expect(code(await world.promote(AT, version))).toBe('ok');
}

describe('a rollback without a version', () => {
  it('goes to what everybody had before, and names it', async () => {
    await all(1, 3);
    await world.promote(AT, 5);
    expect(await back()).toMatchObject({ value: { body: { stableVersion: 3 } } });
    expect(await world.history(AT)).toMatchObject([{ action: 'rollback', version: 3 }]);
    expect(await world.read(AT)).toEqual({ a: 3 });
    await back();
    expect(await stable()).toBe(1);
    const outcome = await back();
    expect(code(outcome)).toBe('invalid-transition');
    expect(outcome).toMatchObject({
      problem: { detail: expect.stringMatching(/before version 1: name one, with --to/) as string },
    });
  });

  it('not to what was gone back from, nor to what is blocked', async () => {
    await all(1, 2, 4);
    await back();
    expect(await stable()).toBe(2);
    await all(5);
    await back();
    expect(await stable()).toBe(2);
    await all(6);
    await world.release(AT, { action: 'block', targetVersion: 2 });
    await back();
    expect(await stable()).toBe(1);
  });

  it('not to what only some had, but to what came to everybody in stages', async () => {
    await all(1);
    await world.release(AT, { action: 'promote', targetVersion: 2, strategy: STAGES });
    await world.release(AT, { action: 'skip' });
    for (let ends = 0; ends < 2; ends += 1) await world.release(AT, { action: 'advance' });
    expect(await stable()).toBe(2);
    await world.release(AT, { action: 'promote', targetVersion: 4, strategy: STAGES });
    await world.release(AT, { action: 'abort' });
    await all(5);
    await back();
    expect(await stable()).toBe(2);
  });

  it('to what came to everybody in stages, whatever its last line adds', async () => {
    await all(1);
    await world.release(AT, { action: 'promote', targetVersion: 2, strategy: STAGES });
    await world.release(AT, { action: 'skip' });
    for (let ends = 0; ends < 2; ends += 1) await world.release(AT, { action: 'advance' });
    await all(3);
    const read = world.truth.readHistory.bind(world.truth);
    vi.spyOn(world.truth, 'readHistory').mockImplementation(async (...asked) =>
      (await read(...asked)).map((line) =>
        line.ended === undefined ? line : { ...line, message: `${line.message}, without votes` },
      ),
    );
    await back();
    expect(await stable()).toBe(2);
  });

  it('not to what would break a schema below', async () => {
    await all(1, 2, 3);
    await world.put('acme/app/eu', {});
    await world.putSchema(
      'acme/app/eu',
      { properties: { a: { enum: [1, 3, 6] } } },
      { kind: 'match-any' },
    );
    expect(code(await world.promote('acme/app/eu'))).toBe('ok');
    await back();
    expect(await stable()).toBe(1);
  });

  it('ends a release in stages and stays', async () => {
    await all(1, 2);
    await world.release(AT, { action: 'promote', strategy: STAGES });
    expect(await back()).toMatchObject({ value: { body: { state: 'idle', stableVersion: 2 } } });
    expect(await world.history(AT)).toMatchObject([{ action: 'rollback', version: 2 }]);
  });

  it('is found behind many lines of history', async () => {
    await all(1, 2);
    for (let line = 0; line < 110; line += 1) {
      await world.release(AT, { action: 'disable' });
      await world.release(AT, { action: 'enable' });
    }
    await back();
    expect(await stable()).toBe(1);
  });

  it('is refused where it is forced, or another release version was seen', async () => {
    await all(1, 2);
    const forced = { action: 'rollback', force: true, reason: 'incident' };
    expect(code(await world.release(AT, forced))).toBe('malformed-request');
    const late = { action: 'rollback', expectedReleaseVersion: 1 };
    expect(code(await world.release(AT, late))).toBe('version-mismatch');
    expect(await stable()).toBe(2);
  });
});
