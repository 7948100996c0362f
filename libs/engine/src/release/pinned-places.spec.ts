import type { JsonObject } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { pinsWorld } from '../testing/pins-world.fixture.js';
import type { PinsWorld } from '../testing/pins-world.fixture.js';

const A = 'acme/prod';
const X = 'acme/prod/eu';
const BELOW = 'acme/prod/eu/shop';
const OTHER = 'acme/prod/us';

let pins: PinsWorld;
let world: EngineWorld;
/** `acme/prod` is at version 3 of 3; `eu`, `eu/shop` and `us` lie below it. */
beforeEach(async () => {
  pins = await pinsWorld();
  ({ world } = pins);
  await pins.promoted('acme', { root: 1 });
  for (const a of [1, 2, 3]) await pins.promoted(A, { a });
  await pins.promoted(X, { eu: 1 });
  await pins.promoted(BELOW, { shop: 1 });
  await pins.promoted(OTHER, { us: 1 });
  await pins.look();
});

describe('what is written and released where a layer is pinned', () => {
  const atMost = (maximum: number) => ({ properties: { a: { maximum } } });
  const putSchema = (at: string, schema: JsonObject) =>
    world.putSchema(at, schema, { kind: 'match-any' });

  it('is judged by the version that is kept, at the address and between it and the ancestor', async () => {
    expect(code(await putSchema(BELOW, atMost(2)))).toBe('schema-violation');
    await pins.pin(X, A, { targetVersion: 2 });
    expect(code(await putSchema(BELOW, atMost(1)))).toBe('schema-violation');
    expect(code(await putSchema(BELOW, atMost(2)))).toBe('ok');
    expect(code(await world.promote(BELOW))).toBe('ok');
    expect(code(await putSchema(X, atMost(1)))).toBe('schema-violation');
    expect(code(await putSchema(X, atMost(2)))).toBe('ok');
    expect(code(await world.promote(X))).toBe('ok');
    await pins.look();
    expect(await pins.unpin(X, A)).toBe('schema-violation');
    await pins.expectReloaded();
  });

  it('is judged above it too: nothing of another layer comes there that does not fit', async () => {
    await pins.pin(X, A, { targetVersion: 2 });
    await putSchema(BELOW, { ...atMost(2), required: ['root'] });
    expect(code(await world.promote(BELOW))).toBe('ok');
    await world.over('acme', { other: 1 });
    const refused = await world.promote('acme');
    expect(refused).toMatchObject({
      problem: { code: 'schema-violation', errors: [{ address: BELOW, keyword: 'required' }] },
    });
    await pins.promoted(A, { a: 9 });
    await pins.look();
  });
});

describe('a pin and policies', () => {
  it('may be made in a freeze, while its end and a higher version wait for one', async () => {
    await pins.promoted('acme:release-policy', { frozen: 'the sale' });
    expect(await pins.pin(X, A, { targetVersion: 1 })).toBe('ok');
    expect(await pins.pin(X, A, { targetVersion: 2 })).toBe('frozen');
    expect(await pins.unpin(X, A)).toBe('frozen');
    expect(await pins.pin(X, A, { targetVersion: 2, freezeException: 'agreed' })).toBe('ok');
    expect(await pins.unpin(X, A, { freezeException: 'agreed' })).toBe('ok');
    expect((await world.history(X))[0]?.reason).toBe('freeze exception: agreed');
    await pins.look();
  });

  it('keeps the policy that a scope is released by, but no freeze away', async () => {
    const policy = (scope: string) => `${scope}:release-policy`;
    await pins.promoted(policy(A), {});
    await pins.promoted(policy(X), {});
    expect(await pins.pin(policy(X), policy(A))).toBe('ok');
    await pins.promoted(policy(A), { demand: 'canary', strategies: {} });
    await world.over(X, { eu: 2 });
    await world.over(OTHER, { us: 2 });
    expect(code(await world.promote(X))).toBe('ok');
    expect((await world.releaseOf(X)).state).toBe('idle');
    await world.promote(OTHER);
    expect((await world.releaseOf(OTHER)).state).toBe('rolling');
    await pins.promoted(policy(A), { frozen: 'the sale' });
    await world.over(X, { eu: 3 });
    expect(code(await world.promote(X))).toBe('frozen');
  });

  it('lets the ancestor go on for everybody else while the scope that is pinned is frozen', async () => {
    await pins.promoted(`${BELOW}:release-policy`, { frozen: 'the sale' });
    await world.over(A, { a: 4 });
    expect(code(await world.promote(A))).toBe('frozen');
    await pins.pin(X, A);
    expect(code(await world.promote(A))).toBe('ok');
    expect(await world.read(OTHER)).toEqual({ root: 1, a: 4, us: 1 });
    expect(await pins.layer(BELOW, A)).toEqual([3, X]);
    await world.over('acme', { root: 2 });
    expect(code(await world.promote('acme'))).toBe('frozen');
    expect(await pins.unpin(X, A)).toBe('frozen');
    await pins.promoted(`${OTHER}:release-policy`, { frozen: 'the move' });
    await world.over(A, { a: 5 });
    const refused = await world.promote(A);
    const by = `frozen by ${OTHER}:release-policy, which this reaches: the move`;
    expect(!refused.ok && refused.problem.detail).toContain(by);
  });
});
