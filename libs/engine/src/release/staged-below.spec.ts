import { beforeEach, describe, expect, it } from 'vitest';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { STAGES, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

let staged: StagedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  staged = await stagedWorld();
  ({ world, fleet } = staged);
});

describe('a release in stages of an address with others below', () => {
  beforeEach(async () => {
    await staged.promoted('acme', { a: 1 });
    await staged.promoted('acme/app', { b: 1 });
  });

  it('reaches candidates of each workload below, with documents of their own', async () => {
    await staged.promoted('acme/shop', { c: 1 });
    await fleet.add('acme/app', 'checkout', 3);
    await fleet.add('acme/shop', 'cart', 2);
    const id = await staged.begun('acme', { a: 2 });
    await staged.whole('acme/app');
    expect(await world.read('acme/app', id)).toEqual({ a: 2, b: 1 });
    expect(await world.read('acme/shop', id)).toEqual({ a: 2, c: 1 });
    expect(await world.read('acme/app')).toEqual({ a: 1, b: 1 });
    const workloads = fleet.candidates().map(({ ref }) => ref.workload);
    expect(workloads.sort()).toEqual(['cart', 'checkout']);
  });

  it('is refused where a candidate below would break a schema, naming the cohort', async () => {
    await world.putSchema('acme/app', { properties: { a: { maximum: 5 } } }, { kind: 'match-any' });
    expect(code(await world.promote('acme/app'))).toBe('ok');
    await world.over('acme', { a: 6 });
    const before = await world.published('acme/app');
    const refused = await world.begin('acme', STAGES);
    expect(refused).toMatchObject({
      problem: { code: 'schema-violation', errors: [{ address: 'acme/app', pointer: '/a' }] },
    });
    expect(!refused.ok && refused.problem.errors?.[0]?.message).toMatch(
      /for candidates of [0-9a-f]{16}/,
    );
    expect(await world.releaseOf('acme')).toMatchObject({ state: 'idle', releaseVersion: 1 });
    expect(await world.published('acme/app')).toBe(before);
  });

  it('has every combination with others on the path, and a fourth is refused', async () => {
    await staged.promoted('acme/app/eu', { c: 1 });
    await staged.promoted('acme/app/eu/x', { d: 1 });
    const ids = [
      await staged.begun('acme', { a: 2 }),
      await staged.begun('acme/app', { b: 2 }),
      await staged.begun('acme/app/eu/x', { d: 2 }),
    ];
    const { releases } = await staged.whole('acme/app/eu/x');
    expect(releases.map(({ id }) => id)).toEqual(ids);
    for (let set = 0; set < 8; set += 1) {
      const [a, b, d] = ids.map((_, at) => ((set >> at) & 1) + 1);
      const key = ids
        .filter((_, at) => (set >> at) & 1)
        .sort()
        .join('+');
      expect(await world.read('acme/app/eu/x', key)).toEqual({ a, b, c: 1, d });
    }
    expect(Object.keys((await staged.whole('acme/app/eu')).variants)).toHaveLength(4);
    await world.over('acme/app/eu', { c: 2 });
    const refused = await world.begin('acme/app/eu', STAGES);
    expect(refused).toMatchObject({ problem: { code: 'too-many-releases' } });
    for (const at of ['acme, ', 'acme/app, ', 'acme/app/eu/x']) {
      expect(!refused.ok && refused.problem.detail).toContain(at);
    }
    expect(code(await world.promote('acme/app/eu'))).toBe('ok');
    expect(await world.read('acme/app/eu/x', ids[2])).toEqual({ a: 1, b: 1, c: 2, d: 2 });
    await staged.act('acme/app', 'abort');
    expect(Object.keys((await staged.whole('acme/app/eu/x')).variants)).toHaveLength(4);
    await world.over('acme/app/eu', { c: 3 });
    expect(code(await world.begin('acme/app/eu', STAGES))).toBe('ok');
  });

  it('ends when an ancestor goes back to what its candidates cannot read, and says so', async () => {
    await staged.promoted('acme', { a: 9 });
    await staged.promoted('acme/shop', { c: 1 });
    await world.putSchema('acme/app', { properties: { a: { minimum: 5 } } }, { kind: 'match-any' });
    expect(code(await world.begin('acme/app', STAGES))).toBe('ok');
    const other = await staged.begun('acme/shop', { c: 2 });
    expect(await staged.act('acme', 'rollback', { targetVersion: 1 })).toBe('ok');
    expect(await world.releaseOf('acme/app')).toMatchObject({ state: 'idle', releaseVersion: 3 });
    expect(await world.history('acme/app')).toMatchObject([
      { action: 'abort', releaseVersion: 3, version: 2, reason: 'dropped by the rollback of acme' },
    ]);
    expect((await staged.whole('acme/app')).releases).toEqual([]);
    expect(await world.read('acme/app')).toEqual({ a: 1, b: 1 });
    expect((await staged.whole('acme/shop')).releases.map(({ id }) => id)).toEqual([other]);
    expect(await world.read('acme/shop', other)).toEqual({ a: 1, c: 2 });
  });

  it('ends alone where another below it fits what an ancestor goes back to', async () => {
    await staged.promoted('acme', { a: 9 });
    await staged.promoted('acme/app/eu', { c: 1 });
    await world.putSchema('acme/app', { properties: { a: { minimum: 5 } } }, { kind: 'match-any' });
    expect(code(await world.begin('acme/app', STAGES))).toBe('ok');
    const other = await staged.begun('acme/app/eu', { c: 2 });
    expect(await staged.act('acme', 'rollback', { targetVersion: 1 })).toBe('ok');
    expect((await world.releaseOf('acme/app')).state).toBe('idle');
    expect(await world.releaseOf('acme/app/eu')).toMatchObject({ staged: { id: other } });
    expect(await world.read('acme/app/eu', other)).toEqual({ a: 1, b: 1, c: 2 });
  });

  it('of an ancestor ends when what is below goes back to what does not fit it', async () => {
    await world.putSchema('acme/app', { properties: { a: { maximum: 5 } } }, { kind: 'match-any' });
    expect(code(await world.promote('acme/app'))).toBe('ok');
    await world.putSchema('acme/app', {}, { kind: 'match-any' });
    expect(code(await world.promote('acme/app'))).toBe('ok');
    await staged.begun('acme', { a: 9 });
    expect(await staged.act('acme/app', 'rollback', { targetVersion: 2 })).toBe('ok');
    expect(await world.releaseOf('acme')).toMatchObject({ state: 'idle' });
    expect(await world.history('acme')).toMatchObject([
      { action: 'abort', reason: 'dropped by the rollback of acme/app' },
    ]);
    expect((await staged.whole('acme')).releases).toEqual([]);
    expect((await staged.whole('acme/app')).releases).toEqual([]);
  });

  it('ends with all others by a forced rollback, and what was forced is mended in stages', async () => {
    await staged.promoted('acme', { a: 9 });
    await world.putSchema('acme/app', { properties: { a: { minimum: 5 } } }, { kind: 'match-any' });
    expect(code(await world.promote('acme/app'))).toBe('ok');
    await staged.promoted('acme/shop', { c: 1 });
    await staged.begun('acme/app', { b: 2 });
    await staged.begun('acme/shop', { c: 2 });
    expect(await staged.act('acme', 'rollback', { targetVersion: 1 })).toBe('schema-violation');
    expect((await world.releaseOf('acme/app')).state).toBe('rolling');
    const force = { targetVersion: 1, force: true, reason: 'incident 7' };
    expect(await staged.act('acme', 'rollback', force)).toBe('ok');
    for (const at of ['acme/app', 'acme/shop']) {
      expect((await world.releaseOf(at)).state).toBe('idle');
      expect((await staged.whole(at)).releases).toEqual([]);
      expect((await staged.whole(at)).inputs[0]).toMatchObject({ forced: true });
    }
    const id = await staged.begun('acme', { a: 6 });
    expect(await world.releaseOf('acme')).toMatchObject({ forced: true, candidate: 3 });
    expect(await world.read('acme/app', id)).toEqual({ a: 6, b: 1 });
    expect(await staged.act('acme', 'skip')).toBe('ok');
    expect(await staged.act('acme', 'advance')).toBe('ok');
    expect((await world.releaseOf('acme')).forced).toBeUndefined();
    const lines = (await world.history('acme', 5)).filter(({ kind }) => kind === 'release');
    expect(lines.map(({ action, forced }) => `${action} ${forced === true}`)).toEqual([
      ...['advance false', 'skip false', 'promote false', 'rollback true'],
    ]);
    expect((await staged.whole('acme/app')).inputs[0]?.forced).toBeUndefined();
  });

  it('has its variants where an address is opened or written meanwhile', async () => {
    const id = await staged.begun('acme', { a: 2 });
    const [canary] = await fleet.add('acme/app/eu', 'checkout', 1);
    await staged.whole('acme/app/eu');
    await fleet.pass(6_000);
    expect(await world.read('acme/app/eu')).toEqual({ a: 1, b: 1 });
    expect(await staged.readBy(canary!)).toMatchObject({ document: { a: 2, b: 1 }, cohort: id });
    expect(code(await world.put('acme/new', { c: 1 }))).toBe('ok');
    await staged.whole('acme/new');
    expect(await world.read('acme/new', id)).toEqual({ a: 2 });
    expect(code(await world.promote('acme/new'))).toBe('ok');
    expect(await world.read('acme/new', id)).toEqual({ a: 2, c: 1 });
    expect(await world.read('acme/new')).toEqual({ a: 1, c: 1 });
    await staged.act('acme', 'abort');
    for (const at of ['acme/app/eu', 'acme/new'])
      expect((await staged.whole(at)).releases).toEqual([]);
  });

  it('leaves other documents and other roots alone', async () => {
    await staged.promoted('acme:limits', { a: 1 });
    await staged.promoted('other', { a: 1 });
    const before = ['acme:limits', 'other'].map((at) => world.publisher.snapshots.get(at as never));
    await staged.begun('acme', { a: 2 });
    await world.settle();
    const after = ['acme:limits', 'other'].map((at) => world.publisher.snapshots.get(at as never));
    expect(after).toEqual(before);
  });
});
