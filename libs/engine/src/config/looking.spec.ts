import { address, shardOf } from '@pawl/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
});

describe('looking', () => {
  it('explains who set what, diffs and previews without changing anything', async () => {
    await world.put('acme', { a: 1, list: [1, 2] }, { kind: 'none-given' }, { actor: 'ada' });
    await world.promote('acme');
    await world.put('acme/app', { b: { c: 1 } }, { kind: 'none-given' }, { actor: 'bob' });
    await world.promote('acme/app');
    const effective = await world.use.getEffective(address('acme/app'), { explain: true });
    expect(effective).toMatchObject({
      value: {
        document: { a: 1, list: [1, 2], b: { c: 1 } },
        explain: {
          '/a': { address: 'acme', version: 1, author: 'ada' },
          '/b/c': { address: 'acme/app', author: 'bob' },
        },
      },
    });
    await world.over('acme/app', { b: { c: 2, d: null } });
    expect(await world.use.diff(address('acme/app'), 1, 2)).toEqual({
      ok: true,
      value: {
        from: 1,
        to: 2,
        patch: [
          { op: 'replace', path: '/b/c', value: 2 },
          { op: 'add', path: '/b/d', value: null },
        ],
      },
    });
    const preview = await world.use.preview(address('acme'), { document: { a: 2, list: [2] } });
    expect(preview).toMatchObject({
      value: {
        valid: true,
        patch: [
          { op: 'replace', path: '/a', value: 2 },
          { op: 'remove', path: '/list/0' },
        ],
        addresses: [
          { address: 'acme', changed: true },
          { address: 'acme/app', changed: true },
        ],
      },
    });
    expect(await world.use.getConfig(address('acme'))).toMatchObject({ value: { version: 1 } });
  });

  it('previews an address that is not written yet, over what is below it', async () => {
    await world.put('acme/prod/app', { a: 1 });
    await world.promote('acme/prod/app');
    const preview = await world.use.preview(address('acme/prod'), {
      document: { z: 1 },
    });
    expect(preview).toMatchObject({
      value: { addresses: [{ address: 'acme/prod' }, { address: 'acme/prod/app', changed: true }] },
    });
  });

  it('claims anew where PostgreSQL holds an earlier version no more: it was put back', async () => {
    await world.put('acme/app', { a: 1 });
    for (const a of [2, 3]) await world.over('acme/app', { a });
    expect(code(await world.use.getConfig(address('acme/app'), 4))).toBe('version-unknown');
    vi.spyOn(world.truth, 'readDefinition').mockResolvedValueOnce(undefined);
    expect(code(await world.use.getConfig(address('acme/app'), 2))).toBe('no-owner');
    expect(world.rechecked).toEqual([shardOf('acme', 4)]);
  });

  it('lists scopes by whole segments, page by page', async () => {
    for (const at of ['acme/a', 'acme/ab', 'acme/a/x', 'acme/a:limits']) await world.put(at, {});
    const first = await world.use.listScopes({ limit: 2, prefix: 'acme/a' });
    expect(first).toMatchObject({
      value: { items: [{ address: 'acme/a' }, { address: 'acme/a/x' }], next: 'acme/a/x' },
    });
    const rest = await world.use.listScopes({ limit: 2, prefix: 'acme/a', cursor: 'acme/a/x' });
    expect(rest).toMatchObject({ value: { items: [{ address: 'acme/a:limits' }] } });
    expect(rest.ok && rest.value.next).toBeUndefined();
  });
});
