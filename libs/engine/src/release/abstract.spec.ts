import { address } from '@pawl/contracts';
import type { Hello } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const NEEDS_B = { required: ['b'] };

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put('z', { a: 1 });
  await world.promote('z');
});

/** `z/q` binds with a schema alone what lies below. */
async function abstractRelease(): Promise<void> {
  expect(code(await world.putSchema('z/q', NEEDS_B))).toBe('ok');
  expect(code(await world.promote('z/q'))).toBe('ok');
}

async function isAbsent(at: string): Promise<boolean> {
  const snapshot = await world.published(at);
  const effective = await world.use.getEffective(address(at), { explain: true });
  expect(effective).toMatchObject({ ok: true, value: { snapshotVersion: snapshot.version } });
  if (!effective.ok || effective.value.document !== null) return false;
  expect(effective.value.explain).toEqual({});
  return snapshot.variants['']?.absent === true;
}

describe('a released definition without a document', () => {
  it('has no effective document, also below one that has, and is not held to its own schema', async () => {
    await abstractRelease();
    expect(await isAbsent('z/q')).toBe(true);
    expect((await world.published('z/q')).inputs.map((input) => input.address)).toEqual([
      'z',
      'z/q',
    ]);
    await world.over('z', { a: 2 });
    expect(code(await world.promote('z'))).toBe('ok');
    expect(await isAbsent('z/q')).toBe(true);
  });

  it('binds what lies below, which builds on the documents above it', async () => {
    await abstractRelease();
    expect(await world.put('z/q/x', { c: 1 })).toMatchObject({
      problem: { code: 'schema-violation', errors: [{ address: 'z/q/x' }] },
    });
    await world.put('z/q/x', { b: 2 });
    expect(await isAbsent('z/q/x')).toBe(true);
    await world.promote('z/q/x');
    expect(await world.read('z/q/x')).toEqual({ a: 1, b: 2 });
    await world.over('z', { a: 3 });
    await world.promote('z');
    expect(await world.read('z/q/x')).toEqual({ a: 3, b: 2 });
    await world.release('z/q/x', { action: 'disable' });
    expect(await isAbsent('z/q/x')).toBe(true);
  });

  it('lets nothing through at an address that a consumer opens below it', async () => {
    await abstractRelease();
    const runs = [{ address: 'z/q/eu', generation: 0, version: 0 }];
    const hello: Hello = { format: 1, incarnation: 'i1', labels: {}, runs };
    await world.use.hello({ root: 'z', workload: 'w', consumerId: 'c' }, hello);
    expect(await isAbsent('z/q/eu')).toBe(true);
    await world.release('z/q', { action: 'disable' });
    expect(await world.read('z/q/eu')).toEqual({ a: 1 });
  });

  it('counts as not there while it is disabled', async () => {
    await abstractRelease();
    await world.release('z/q', { action: 'disable' });
    expect(await world.read('z/q')).toEqual({ a: 1 });
    expect((await world.published('z/q')).inputs[1]).toMatchObject({
      definitionVersion: null,
      loweredAt: 2,
    });
    await world.release('z/q', { action: 'enable' });
    expect(await isAbsent('z/q')).toBe(true);
  });

  it('becomes concrete with its first document, and abstract again by a rollback', async () => {
    await abstractRelease();
    expect(code(await world.over('z/q', { c: 1 }))).toBe('schema-violation');
    await world.over('z/q', { b: 1 });
    await world.promote('z/q');
    expect(await world.read('z/q')).toEqual({ a: 1, b: 1 });
    await world.release('z/q', { action: 'rollback', targetVersion: 1 });
    expect(await isAbsent('z/q')).toBe(true);
    expect((await world.published('z/q')).inputs[1]).toMatchObject({
      definitionVersion: 1,
      loweredAt: 3,
    });
  });

  it('has the same snapshots after a restart', async () => {
    await abstractRelease();
    await world.put('z/q/x', { b: 2 });
    await world.promote('z/q/x');
    const before = [await world.published('z/q'), await world.published('z/q/x')];
    await world.restart();
    expect([await world.published('z/q'), await world.published('z/q/x')]).toEqual(before);
    await world.over('z', { a: 4 });
    await world.promote('z');
    expect(await world.read('z/q/x')).toEqual({ a: 4, b: 2 });
  });
});

it('warns before consumers lose a document by a definition without one, and only then', async () => {
  const warnings = async (at: string) => {
    const written = await world.putSchema(at, { type: 'object' });
    return written.ok && written.value.body.warnings.map((warning) => warning.keyword);
  };
  expect(await warnings('z/q')).toEqual(['abstract']);
  expect(await warnings('y')).toEqual([]);
  await world.promote('z/q');
  expect(await warnings('z/q/x')).toEqual([]);
});

describe('schemas', () => {
  it('are checked when only they change', async () => {
    expect(code(await world.putSchema('z', NEEDS_B, { kind: 'match-any' }))).toBe(
      'schema-violation',
    );
    expect(await world.read('z')).toEqual({ a: 1 });
  });

  it('of an address that is not known yet warn of what lies below', async () => {
    await world.put('z/q/x', { c: 1 });
    await world.promote('z/q/x');
    expect(await world.putSchema('z/q', NEEDS_B)).toMatchObject({
      value: {
        body: {
          warnings: [
            { address: 'z/q', keyword: 'abstract' },
            { address: 'z/q/x', keyword: 'required' },
          ],
        },
      },
    });
    expect(await world.promote('z/q')).toMatchObject({
      problem: { code: 'schema-violation', errors: [{ address: 'z/q/x' }] },
    });
  });

  it('are checked once in a preview, whether the address is known or not', async () => {
    for (const at of ['z', 'z/new']) {
      const preview = await world.use.preview(address(at), { document: {}, schema: NEEDS_B });
      const errors = preview.ok ? preview.value.errors : [];
      expect(errors.map((error) => error.address)).toEqual([at]);
    }
  });
});
