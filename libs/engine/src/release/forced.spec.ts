import { beforeEach, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  for (const x of [10, 1]) {
    await world.put('acme', { x, k: x }, { kind: x === 10 ? 'none-given' : 'match-any' });
    await world.promote('acme');
  }
  await world.put('acme/b', { k: 7 });
  await world.promote('acme/b');
  await world.putSchema('acme/b', { properties: { x: { maximum: 5 } } }, { kind: 'match-any' });
  await world.promote('acme/b');
  const back = { action: 'rollback', targetVersion: 1, force: true, reason: 'incident' };
  expect(code(await world.release('acme', back))).toBe('ok');
});

it('checks what a forced layer broke again, also where its bytes stay the same', async () => {
  await world.over('acme', { x: 10, k: 2 });
  expect(code(await world.promote('acme'))).toBe('schema-violation');
  await world.over('acme', { x: 3, k: 2 });
  expect(code(await world.promote('acme'))).toBe('ok');
  expect((await world.published('acme/b')).inputs[0]?.forced).toBeUndefined();
});

it('gives the same bytes, still marked, after disable and enable', async () => {
  const before = await world.published('acme/b');
  await world.release('acme', { action: 'disable' });
  expect(await world.read('acme/b')).toEqual({ k: 7 });
  expect(code(await world.release('acme', { action: 'enable' }))).toBe('ok');
  const after = await world.published('acme/b');
  expect(after.variants).toEqual(before.variants);
  expect(after.inputs[0]).toMatchObject({ forced: true });
});

it('reaches every address below, though checking would have ended early', async () => {
  await world.over('acme', { x: 3, k: 2 });
  await world.promote('acme');
  for (let n = 0; n < 120; n += 1) {
    expect(code(await world.put(`acme/b/s${n}`, {}))).toBe('ok');
  }
  const back = { action: 'rollback', targetVersion: 1, force: true, reason: 'incident' };
  expect(code(await world.release('acme', back))).toBe('ok');
  for (const at of ['acme/b/s0', 'acme/b/s119']) {
    expect(await world.read(at)).toEqual({ x: 10, k: 7 });
  }
});
