import { address } from '@pawl/contracts';
import type { JsonObject, MergeRequest, Outcome, WrittenView } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandContext, Precondition, Written } from '../config-engine.js';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { readSourceChange } from './read-source-change.js';

const [STAGING, PROD] = ['acme/staging/app', 'other/prod/app'];
const ANY: Precondition = { kind: 'match-any' };

let world: EngineWorld;
/** Staging goes from 1 to 2; production has values of its own. */
beforeEach(async () => {
  world = await claimedWorld();
  await world.put(STAGING, { max: 1, url: 'stage', limits: { a: 1, b: 1 } });
  await world.over(STAGING, { max: 2, url: 'stage-2', limits: { a: 2, b: 1 }, more: true });
  await world.put(PROD, { max: 1, url: 'prod', limits: { a: 1, b: 9 } });
});

interface How {
  readonly precondition?: Precondition;
  readonly context?: CommandContext;
  readonly to?: string;
}

async function merge(
  request: Partial<MergeRequest> = {},
  { precondition = ANY, context = { actor: 'ann' }, to = PROD }: How = {},
): Promise<Outcome<Written<WrittenView>>> {
  const change = await readSourceChange(world.use, address(to), { from: STAGING, ...request });
  if (!change.ok) return change;
  return world.use.mergeConfig({ address: address(to), precondition, context }, change.value);
}

async function plan(request: Partial<MergeRequest> = {}, to = PROD) {
  const change = await readSourceChange(world.use, address(to), { from: STAGING, ...request });
  if (!change.ok) return change;
  return world.use.planMerge(address(to), change.value);
}

async function documentAt(at: string): Promise<JsonObject | undefined> {
  const view = await world.use.getConfig(address(at));
  return view.ok ? (view.value.document as JsonObject) : undefined;
}

async function policy(at: string, document: JsonObject): Promise<void> {
  expect(code(await world.put(`${at}:release-policy`, document))).toBe('ok');
  expect(code(await world.promote(`${at}:release-policy`))).toBe('ok');
}

async function putSchema(at: string, schema: JsonObject): Promise<void> {
  const options = { address: address(at), precondition: ANY, context: { actor: 'ann' } };
  expect(code(await world.use.putSchema(options, schema))).toBe('ok');
}

describe('a merge onto another address', () => {
  it('writes what changed at the source, says where it came from, and counts from there next time', async () => {
    await policy('other', { local: { config: { '/url': true } } });
    const written = await merge({ baseVersion: 1 });
    const origin = { address: STAGING, version: 2, baseVersion: 1 };
    expect(written).toMatchObject({ value: { status: 200, body: { version: 2, origin } } });
    const expected = { max: 2, url: 'prod', limits: { a: 2, b: 9 }, more: true };
    expect(await documentAt(PROD)).toEqual(expected);
    expect(await world.use.getConfig(address(PROD))).toMatchObject({ value: { origin } });
    expect(await world.history(PROD)).toMatchObject([{ kind: 'definition', origin }]);

    await world.over(PROD, { ...expected, own: 1 });
    await world.over(STAGING, { max: 3, url: 'x', limits: { a: 2, b: 1 }, more: true });
    await world.restart();
    expect(await merge()).toMatchObject({
      value: { body: { version: 4, origin: { version: 3, baseVersion: 2 } } },
    });
    expect(await documentAt(PROD)).toEqual({ ...expected, own: 1, max: 3 });
    expect(await merge()).toMatchObject({ value: { status: 200, body: { version: 4 } } });
  });

  it('takes over everything where nothing is yet, but what is local', async () => {
    await policy('other', { local: { config: { '/url': true } } });
    const to = 'other/new';
    const written = await merge({}, { to, precondition: { kind: 'none-given' } });
    expect(written).toMatchObject({
      value: { status: 201, body: { version: 1, origin: { version: 2, baseVersion: 0 } } },
    });
    expect(await documentAt(to)).toEqual({ max: 2, limits: { a: 2, b: 1 }, more: true });
  });

  it('asks for the base where nobody knows it, and shows all that differs from nothing on', async () => {
    const refused = await merge();
    expect(code(refused)).toBe('merge-base-required');
    expect(refused.ok || refused.problem.detail).toContain('(1 to 2)');
    expect(await plan({ baseVersion: 0 })).toMatchObject({
      value: {
        conflicts: [
          { pointer: '/limits/a', theirs: 2, ours: 1 },
          { pointer: '/limits/b', theirs: 1, ours: 9 },
          { pointer: '/max', theirs: 2, ours: 1 },
          { pointer: '/url', theirs: 'stage-2', ours: 'prod' },
        ],
      },
    });
  });

  it('refuses a conflict and changes nothing, until it is told which side counts', async () => {
    const conflict = await merge({ baseVersion: 1 });
    expect(conflict).toMatchObject({
      problem: {
        ...{ code: 'merge-conflict', currentVersion: 1 },
        errors: [
          {
            ...{ address: PROD, pointer: '/url', keyword: 'merge-conflict' },
            message: 'was "stage", is "stage-2" at the source and "prod" here',
          },
        ],
      },
    });
    expect(await documentAt(PROD)).toMatchObject({ max: 1 });
    expect(await plan({ baseVersion: 1 })).toMatchObject({
      value: { version: 1, changed: false, conflictCount: 1, patch: [{}, {}, {}] },
    });
    const resolve = { '/url': 'ours' } as const;
    expect(await plan({ baseVersion: 1, resolve })).toMatchObject({ value: { changed: true } });
    expect(code(await merge({ baseVersion: 1, resolve }))).toBe('ok');
    expect(await documentAt(PROD)).toMatchObject({ url: 'prod', max: 2 });
  });

  it('remembers how conflicts were decided, also where nothing else changes', async () => {
    await world.over(PROD, { max: 7, url: 'prod', limits: { a: 8, b: 9 }, more: true });
    const decided = await merge({ baseVersion: 1, resolve: { '': 'ours' } });
    expect(decided).toMatchObject({ value: { body: { version: 3, origin: { version: 2 } } } });
    expect(await merge()).toMatchObject({ value: { status: 200, body: { version: 3 } } });
  });

  it('judges what a write judges: preconditions, schemas, keys', async () => {
    const none: Precondition = { kind: 'none-given' };
    const from = { baseVersion: 1, resolve: { '/url': 'theirs' } } as const;
    expect(code(await merge(from, { precondition: none }))).toBe('precondition-required');
    const stale: Precondition = { kind: 'match', versions: [7] };
    expect(code(await merge(from, { precondition: stale }))).toBe('version-mismatch');
    const options = { address: address('other'), context: { actor: 'ann' } };
    const bound = { properties: { max: { maximum: 1 } } };
    await world.use.putSchema({ ...options, precondition: none }, bound);
    await world.promote('other');
    expect(code(await merge(from))).toBe('schema-violation');
    expect(code(await plan(from))).toBe('schema-violation');
    const freed = { properties: { max: { maximum: 5 } } };
    await world.use.putSchema({ ...options, precondition: ANY }, freed);
    await world.promote('other');
    const context = { actor: 'ann', idempotency: { key: 'k', requestHash: 'h' } };
    const first = await merge(from, { context });
    const again = await merge(from, { context });
    expect(again).toMatchObject({ value: { replayed: true } });
    expect(again.ok && again.value.body).toEqual(first.ok && first.value.body);
  });

  it.each([
    [{ from: PROD }, 'malformed-request'],
    [{ from: 'A' }, 'malformed-address'],
    [{ from: 'acme/none' }, 'not-found'],
    [{ fromVersion: 9 }, 'version-unknown'],
    [{ baseVersion: 9 }, 'version-unknown'],
  ])('refuses %o', async (request, expected) => {
    expect(code(await merge(request))).toBe(expected);
  });
});

describe('the schema', () => {
  const [one, two] = [{ title: 'one' }, { title: 'two' }];

  beforeEach(async () => {
    await putSchema(STAGING, one);
    await merge({ baseVersion: 1, fromVersion: 3, resolve: { '': 'ours' } });
  });

  it('comes along where the target has what the source had, and stays where it changed there alone', async () => {
    expect(await world.use.getSchema(address(PROD))).toMatchObject({ value: { schema: one } });
    await putSchema(PROD, two);
    await world.over(STAGING, { max: 4 });
    expect(await plan({ resolve: { '': 'theirs' } })).toMatchObject({ value: { schema: 'kept' } });
  });

  it('is a conflict where both changed it', async () => {
    await putSchema(PROD, two);
    await putSchema(STAGING, { title: 'three' });
    const conflict = { part: 'schema', pointer: '' };
    expect(await plan()).toMatchObject({ value: { conflicts: [conflict], conflictCount: 1 } });
    expect(await merge()).toMatchObject({
      problem: { code: 'merge-conflict', errors: [{ keyword: 'schema', pointer: '' }] },
    });
    expect(code(await merge({ resolve: { schema: 'theirs' } }))).toBe('ok');
    expect(await world.use.getSchema(address(PROD))).toMatchObject({
      value: { schema: { title: 'three' } },
    });
  });

  it('marks what is local, wherever it binds', async () => {
    const marked = { properties: { url: { 'x-pawl-local': true } } };
    await putSchema(PROD, marked);
    await world.over(STAGING, { max: 2, url: 'stage-3', limits: { a: 2, b: 1 }, more: true });
    expect(await plan()).toMatchObject({ value: { kept: ['/url'], conflicts: [] } });
    await putSchema(STAGING, { properties: { max: { 'x-pawl-local': true } } });
    const change = await plan({}, 'other/new');
    expect(change).toMatchObject({ value: { schema: 'taken', kept: ['/max'] } });
  });
});

it('inherits what is local key by key', async () => {
  await policy('other', { local: { config: { '/url': true, '/max': true }, limits: {} } });
  await policy('other/prod', { local: { config: { '/max': false, '/limits/a': true } } });
  expect(await plan({ baseVersion: 1 })).toMatchObject({
    value: { kept: ['/url', '/limits/a'], keptCount: 2, conflicts: [], changed: true },
  });
  const wrong = { local: { config: { url: true } } };
  expect(code(await world.over('other:release-policy', wrong))).toBe('schema-violation');
});
