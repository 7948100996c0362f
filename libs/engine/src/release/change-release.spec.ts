import { address, shardOf, snapshotHash } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
});

describe('releasing', () => {
  it('publishes nothing of a version before it is promoted', async () => {
    await world.put('acme/app', { a: 1 });
    expect(await world.read('acme/app')).toBeNull();
    expect(await world.promote('acme/app')).toMatchObject({
      value: { body: { state: 'idle', releaseVersion: 1, stableVersion: 1 } },
    });
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    const snapshot = await world.published('acme/app');
    expect(snapshot).toMatchObject({
      installation: 'main/test',
      version: 2,
      generation: 1,
      inputs: [{ address: 'acme/app', definitionVersion: 1, releaseVersion: 1, loweredAt: null }],
    });
    expect(snapshotHash(snapshot, sha256)).toBe(snapshot.hash);
  });

  it('recomputes everything below, and only that', async () => {
    for (const at of ['acme', 'acme/a', 'acme/a/x', 'acme/b', 'acme:limits', 'other/a']) {
      await world.put(at, { [at]: 1 });
      await world.promote(at);
    }
    const before = new Map(world.publisher.snapshots);
    await world.over('acme/a', { 'acme/a': 2 });
    await world.promote('acme/a');
    await world.settle();
    const changed = [...world.publisher.snapshots]
      .filter(([at, snapshot]) => before.get(at) !== snapshot)
      .map(([at]) => at);
    expect(changed.sort()).toEqual(['acme/a', 'acme/a/x']);
    expect(await world.read('acme/a/x')).toEqual({ acme: 1, 'acme/a': 2, 'acme/a/x': 1 });
  });

  it('keeps the hash of a scope whose bytes did not change', async () => {
    await world.put('acme', { a: 1 });
    await world.promote('acme');
    await world.put('acme/app', { a: 5 });
    await world.promote('acme/app');
    const before = await world.published('acme/app');
    await world.over('acme', { a: 2 });
    await world.promote('acme');
    const after = await world.published('acme/app');
    expect(after.version).toBe(before.version + 1);
    expect(after.variants['']?.hash).toBe(before.variants['']?.hash);
  });

  it('claims anew where PostgreSQL holds a version no more: it was put back', async () => {
    await world.put('acme/app', { a: 1 });
    for (const a of [2, 3]) await world.over('acme/app', { a });
    await world.promote('acme/app');
    vi.spyOn(world.truth, 'readDefinition').mockResolvedValueOnce(undefined);
    const outcome = await world.release('acme/app', { action: 'rollback', targetVersion: 1 });
    expect(code(outcome)).toBe('no-owner');
    expect(world.rechecked).toEqual([shardOf('acme', 4)]);
  });

  it('goes back by rollback only, and says where it was lowered', async () => {
    for (const a of [1, 2]) {
      await world.put('acme/app', { a }, { kind: a === 1 ? 'none-given' : 'match-any' });
      await world.promote('acme/app');
    }
    expect(code(await world.promote('acme/app', 1))).toBe('use-rollback');
    await world.release('acme/app', { action: 'rollback', targetVersion: 1 });
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    const snapshot = await world.published('acme/app');
    expect(snapshot.version).toBe(4);
    expect(snapshot.inputs).toEqual([
      { address: 'acme/app', definitionVersion: 1, releaseVersion: 3, loweredAt: 3 },
    ]);
  });

  it('gives the same bytes after disable and enable', async () => {
    await world.put('acme', { a: 1 });
    await world.promote('acme');
    await world.put('acme/app', { b: 1 });
    await world.promote('acme/app');
    const before = await world.published('acme/app');
    await world.release('acme', { action: 'disable' });
    expect(await world.read('acme/app')).toEqual({ b: 1 });
    expect((await world.published('acme/app')).inputs[0]).toMatchObject({
      definitionVersion: null,
      loweredAt: 2,
    });
    await world.release('acme', { action: 'enable' });
    const after = await world.published('acme/app');
    expect(after.variants).toEqual(before.variants);
  });

  it('refuses a rollback that breaks a schema, names one that would not, and obeys force', async () => {
    for (const a of [1, 'two', 3]) {
      await world.put('acme/app', { a }, { kind: a === 1 ? 'none-given' : 'match-any' });
      await world.promote('acme/app');
    }
    await world.putSchema('acme', { properties: { a: { type: 'integer' } } });
    await world.promote('acme');
    const back = await world.release('acme/app', { action: 'rollback', targetVersion: 2 });
    expect(back).toMatchObject({ problem: { code: 'schema-violation' } });
    expect(back.ok || back.problem.detail).toContain('would not is 1');
    const forced = await world.release('acme/app', {
      action: 'rollback',
      targetVersion: 2,
      force: true,
      reason: 'incident 7',
    });
    expect(forced).toMatchObject({ value: { body: { stableVersion: 2, forced: true } } });
    expect((await world.published('acme/app')).inputs.at(-1)).toMatchObject({ forced: true });
    const history = await world.use.listHistory(address('acme/app'), { limit: 1 });
    expect(history).toMatchObject({
      value: {
        items: [{ kind: 'release', action: 'rollback', forced: true, reason: 'incident 7' }],
      },
    });
  });

  it('does not promote a blocked version, whoever asks', async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    await world.over('acme/app', { a: 2 });
    await world.release('acme/app', { action: 'block', targetVersion: 2 });
    expect(code(await world.promote('acme/app'))).toBe('version-blocked');
    await world.release('acme/app', { action: 'unblock', targetVersion: 2 });
    expect(code(await world.promote('acme/app'))).toBe('ok');
  });

  it('refuses what would make an effective document too large, naming the address', async () => {
    const big = 'x'.repeat(600 * 1024);
    await world.put('acme/app', { low: big });
    await world.promote('acme/app');
    const put = await world.put('acme', { high: big });
    expect(put).toMatchObject({ value: { body: { warnings: [{ address: 'acme/app' }] } } });
    expect(await world.promote('acme')).toMatchObject({
      problem: { code: 'too-large', errors: [{ address: 'acme/app' }] },
    });
  });

  it('stores large contents by hash before the snapshot that names them', async () => {
    const value = { big: 'x'.repeat(20_000) };
    await world.put('acme/app', value);
    await world.promote('acme/app');
    expect((await world.published('acme/app')).variants['']?.inline).toBeUndefined();
    expect(await world.read('acme/app')).toEqual(value);
  });
});
