import { address } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
});

describe('writing definitions', () => {
  it('numbers versions without gaps and asks for a precondition over what exists', async () => {
    const first = await world.put('acme/app', { a: 1 });
    expect(first).toMatchObject({ ok: true, value: { status: 201, body: { version: 1 } } });
    const blind = await world.put('acme/app', { a: 2 });
    expect(blind).toMatchObject({
      problem: { code: 'precondition-required', currentVersion: 1 },
    });
    expect(blind.ok || blind.problem.detail).toContain('If-Match: "1"');
    const stale = await world.put('acme/app', { a: 2 }, { kind: 'match', versions: [7] });
    expect(stale).toMatchObject({ problem: { code: 'version-mismatch', currentVersion: 1 } });
    const second = await world.put('acme/app', { a: 2 }, { kind: 'match', versions: [1] });
    expect(second).toMatchObject({ ok: true, value: { status: 200, body: { version: 2 } } });
    expect(code(await world.put('acme/app', {}, { kind: 'match-none' }))).toBe('version-mismatch');
    expect(code(await world.put('acme/new', {}, { kind: 'match-any' }))).toBe('version-mismatch');
  });

  it('makes no version of what is newest already', async () => {
    await world.put('acme/app', { a: 1, b: 2 });
    const again = await world.over('acme/app', { b: 2, a: 1 });
    expect(again).toMatchObject({ ok: true, value: { status: 200, body: { version: 1 } } });
  });

  it('lets exactly one of many writers of one version win', async () => {
    await world.put('acme/app', { n: 0 });
    const writers = Array.from({ length: 20 }, (_, n) =>
      world.put('acme/app', { n: n + 1 }, { kind: 'match', versions: [1] }),
    );
    const codes = (await Promise.all(writers)).map(code);
    expect(codes.filter((one) => one === 'ok')).toHaveLength(1);
    expect(codes.filter((one) => one === 'version-mismatch')).toHaveLength(19);
  });

  it('answers the same idempotency key with the first answer, and another body with 422', async () => {
    const context = { actor: 'ada', idempotency: { key: 'PUT /x k', requestHash: 'h1' } };
    const first = await world.put('acme/app', { a: 1 }, { kind: 'none-given' }, context);
    const again = await world.put('acme/app', { a: 1 }, { kind: 'none-given' }, context);
    expect(again).toMatchObject({ ok: true, value: { status: 201, replayed: true } });
    expect(again.ok && again.value.body).toEqual(first.ok && first.value.body);
    const other = { actor: 'ada', idempotency: { key: 'PUT /x k', requestHash: 'h2' } };
    expect(code(await world.put('acme/app', { a: 2 }, { kind: 'match-any' }, other))).toBe(
      'idempotency-key-reused',
    );
  });

  it('remembers a key also where nothing had to change', async () => {
    await world.put('acme/app', { a: 1 });
    const context = { actor: 'ada', idempotency: { key: 'k', requestHash: 'h' } };
    await world.put('acme/app', { a: 1 }, { kind: 'match-any' }, context);
    await world.over('acme/app', { a: 2 });
    const late = await world.put('acme/app', { a: 1 }, { kind: 'match-any' }, context);
    expect(late).toMatchObject({ ok: true, value: { replayed: true, body: { version: 1 } } });
    expect(await world.use.getConfig(address('acme/app'))).toMatchObject({ value: { version: 2 } });
  });

  it('answers 409 while the first request with a key still runs', async () => {
    let release = (): void => undefined;
    world.truth.beforeCommit = () => new Promise((resolve) => (release = resolve));
    const context = { actor: 'ada', idempotency: { key: 'k', requestHash: 'h' } };
    const first = world.put('acme/app', { a: 1 }, { kind: 'none-given' }, context);
    await world.settle();
    const second = await world.put('acme/app', { a: 1 }, { kind: 'none-given' }, context);
    expect(code(second)).toBe('still-running');
    release();
    expect(code(await first)).toBe('ok');
  });

  it('checks a document with the schemas of all its layers before anything is written', async () => {
    await world.putSchema('acme', { required: ['owner'] });
    await world.promote('acme');
    await world.putSchema('acme/prod', { properties: { max: { type: 'integer' } } });
    await world.promote('acme/prod');
    const refusedPut = await world.put('acme/prod/app', { max: 'many' });
    expect(refusedPut).toMatchObject({ problem: { code: 'schema-violation' } });
    const errors = refusedPut.ok ? [] : (refusedPut.problem.errors ?? []);
    expect(errors.map(({ address: at, pointer }) => `${at} ${pointer}`)).toEqual(
      expect.arrayContaining(['acme/prod/app ', 'acme/prod/app /max']),
    );
    expect(code(await world.use.getConfig(address('acme/prod/app')))).toBe('not-found');
    expect(code(await world.put('acme/prod/app', { max: 1, owner: 'ada' }))).toBe('ok');
  });

  it('warns of trouble further down without refusing', async () => {
    await world.put('acme', { limit: 1 });
    await world.promote('acme');
    await world.putSchema('acme/app', { properties: { limit: { maximum: 5 } } });
    await world.over('acme/app', {});
    await world.promote('acme/app');
    const put = await world.over('acme', { limit: 9 });
    expect(put).toMatchObject({
      ok: true,
      value: { body: { warnings: [{ address: 'acme/app', pointer: '/limit' }] } },
    });
    expect(await world.promote('acme')).toMatchObject({
      problem: { code: 'schema-violation', errors: [{ address: 'acme/app', pointer: '/limit' }] },
    });
    expect(await world.read('acme/app')).toEqual({ limit: 1 });
  });

  it('keeps the schema on PUT and the document on PUT of a schema', async () => {
    await world.put('acme/app', { a: 1 });
    await world.putSchema('acme/app', { type: 'object' }, { kind: 'match-any' });
    await world.over('acme/app', { a: 2 });
    expect(await world.use.getConfig(address('acme/app'))).toMatchObject({
      value: { version: 3, document: { a: 2 }, schema: { type: 'object' } },
    });
    const options = {
      address: address('acme/app'),
      precondition: { kind: 'match', versions: [3] },
      context: { actor: 'ada' },
    } as const;
    expect(await world.use.deleteSchema(options)).toMatchObject({
      value: { body: { version: 4 } },
    });
    expect(code(await world.use.getSchema(address('acme/app')))).toBe('not-found');
  });

  it('shows a definition that is only a schema as abstract, and then as {} without it', async () => {
    await world.putSchema('acme', { required: ['x'] });
    const shown = await world.use.getConfig(address('acme'));
    expect(shown).toMatchObject({ value: { document: {}, abstract: true } });
    expect(code(await world.promote('acme'))).toBe('ok');
    expect((await world.published('acme')).variants['']).toMatchObject({ absent: true });
    const options = {
      address: address('acme'),
      precondition: { kind: 'match-any' },
      context: { actor: 'ada' },
    } as const;
    await world.use.deleteSchema(options);
    const after = await world.use.getConfig(address('acme'));
    expect(after.ok && after.value.abstract).toBeUndefined();
  });

  it('patches the newest document both ways', async () => {
    await world.put('acme/app', { a: 1, b: { c: [1, 2] } });
    const options = {
      address: address('acme/app'),
      precondition: { kind: 'match', versions: [1] },
      context: { actor: 'ada' },
    } as const;
    await world.use.patchConfig(options, 'merge-patch', { a: null, b: { d: 1 } });
    const jsonPatch = [
      { op: 'test', path: '/b/d', value: 1 },
      { op: 'move', from: '/b/c/0', path: '/constructor' },
    ];
    const next = { ...options, precondition: { kind: 'match', versions: [2] } } as const;
    await world.use.patchConfig(next, 'json-patch', jsonPatch);
    expect(await world.use.getConfig(address('acme/app'))).toMatchObject({
      value: { version: 3, document: { constructor: 1, b: { c: [2], d: 1 } } },
    });
    const nowhere = { ...options, address: address('acme/none') };
    expect(code(await world.use.patchConfig(nowhere, 'merge-patch', {}))).toBe('not-found');
  });
});
