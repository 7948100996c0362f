import { address } from '@pawl/contracts';
import type { PreviewPromote, PreviewView } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { STAGES, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

const PLACES = ['acme', 'acme/app', 'acme/app/eu', 'acme/shop'];

let staged: StagedWorld;
let world: EngineWorld;
beforeEach(async () => {
  staged = await stagedWorld();
  ({ world } = staged);
  await staged.promoted('acme', { a: 1 });
  await staged.promoted('acme/app', { b: 1 });
  await staged.promoted('acme/app/eu', { c: 1 });
  await staged.promoted('acme/shop', { d: 1 });
});

async function preview(promote: PreviewPromote, at = 'acme'): Promise<PreviewView> {
  const outcome = await world.use.preview(address(at), { promote });
  if (!outcome.ok) throw new Error(outcome.problem.code);
  return outcome.value;
}

describe('a promote that pre-empts releases in stages below by name', () => {
  it('aborts these, and no other, in the transaction that begins it', async () => {
    const { fleet } = staged;
    await fleet.add('acme/app', 'checkout', 2);
    const ended = await staged.begun('acme/app', { b: 2 });
    const other = await staged.begun('acme/shop', { d: 2 });
    await fleet.pass(6_000);
    expect(fleet.candidates()).toHaveLength(1);
    await world.over('acme', { a: 2 });
    const before = world.committed.length;
    const preempt = ['acme/app'];
    const outcome = await world.release('acme', {
      ...{ action: 'promote', strategy: STAGES, preempt, reason: 'incident 7' },
    });
    expect(outcome).toMatchObject({
      value: { body: { aborted: [{ address: 'acme/app', id: ended, version: 2 }] } },
    });
    expect(world.committed).toHaveLength(before + 1);
    const { staged: begun } = await world.releaseOf('acme');
    expect(await world.releaseOf('acme/app')).toMatchObject({ state: 'idle', stableVersion: 1 });
    expect(await world.history('acme/app')).toMatchObject([
      {
        ...{ action: 'abort', version: 2, releaseVersion: 3 },
        reason: 'pre-empted by the promote of acme: incident 7',
      },
    ]);
    const { releases, inputs } = await staged.whole('acme/app');
    expect(releases.map(({ id }) => id)).toEqual([begun?.id]);
    expect(inputs.at(-1)).toMatchObject({ address: 'acme/app', loweredAt: 3 });
    expect(await world.read('acme/app')).toEqual({ a: 1, b: 1 });
    expect(await world.read('acme/app', begun?.id)).toEqual({ a: 2, b: 1 });
    const beside = (await staged.whole('acme/shop')).releases.map(({ id }) => id);
    expect(beside).toEqual([begun?.id, other]);
  });

  it('is no fourth on the way where it ends one of three', async () => {
    await staged.begun('acme/app', { b: 2 });
    await staged.begun('acme/app/eu', { c: 2 });
    await staged.promoted('acme/app/eu/x', { e: 1 });
    await staged.begun('acme/app/eu/x', { e: 2 });
    await world.over('acme', { a: 2 });
    const refused = await world.begin('acme', STAGES);
    expect(refused).toMatchObject({ problem: { code: 'too-many-releases' } });
    expect(!refused.ok && refused.problem.detail).toContain(
      'pre-empt acme/app or acme/app/eu or acme/app/eu/x by name',
    );
    await staged.promoted('acme/app/eu/x/y', { f: 1 });
    await world.over('acme/app/eu/x/y', { f: 2 });
    const lowest = await world.begin('acme/app/eu/x/y', STAGES);
    expect(!lowest.ok && lowest.problem.detail).toMatch(/abort it, or promote all at once$/);
    const named = { strategy: STAGES, preempt: ['acme/app/eu'] };
    expect(await staged.act('acme', 'promote', named)).toBe('ok');
    expect((await world.releaseOf('acme/app/eu')).state).toBe('idle');
    expect((await staged.whole('acme/app/eu/x')).releases).toHaveLength(3);
  });

  it('passes, all at once too, where only their candidates would have broken a schema', async () => {
    await world.putSchema('acme/app', { properties: { a: { maximum: 5 } } }, { kind: 'match-any' });
    expect(code(await world.begin('acme/app', STAGES))).toBe('ok');
    await world.over('acme', { a: 9 });
    expect(code(await world.promote('acme'))).toBe('schema-violation');
    expect((await world.releaseOf('acme/app')).state).toBe('rolling');
    const { valid, aborted } = await preview({ preempt: ['acme/app'] });
    expect([valid, aborted]).toMatchObject([true, [{ address: 'acme/app' }]]);
    expect((await world.releaseOf('acme/app')).state).toBe('rolling');
    expect(await staged.act('acme', 'promote', { preempt: ['acme/app'] })).toBe('ok');
    expect((await staged.whole('acme/app')).releases).toEqual([]);
    expect(await world.read('acme/app')).toEqual({ a: 9, b: 1 });
  });

  it('drops what was queued behind them, and the history tells it', async () => {
    await staged.begun('acme/app', { b: 2 });
    await world.over('acme/app', { b: 3 });
    expect(await staged.act('acme/app', 'promote', { conflict: 'queue' })).toBe('ok');
    await world.over('acme', { a: 2 });
    const outcome = await world.release('acme', { action: 'promote', preempt: ['acme/app'] });
    expect(outcome).toMatchObject({ value: { body: { aborted: [{ version: 2, queued: 3 }] } } });
    expect((await world.releaseOf('acme/app')).queued).toBeUndefined();
    const [own] = await world.history('acme');
    expect(own).toMatchObject({ action: 'promote', reason: 'pre-empts: acme/app' });
    const actions = (await world.history('acme/app', 2)).map(({ action }) => action);
    expect(actions.toSorted()).toEqual(['abort', 'cancel']);
  });

  it('is the same where it is sent twice', async () => {
    await staged.begun('acme/app', { b: 2 });
    await world.over('acme', { a: 2 });
    const named = { strategy: STAGES, preempt: ['acme/app', 'acme/app:config'] };
    expect(await staged.act('acme', 'promote', named)).toBe('ok');
    expect((await world.history('acme/app', 2)).map(({ action }) => action)).toEqual([
      'abort',
      'promote',
    ]);
    const { releaseVersion } = await world.releaseOf('acme');
    expect(await staged.act('acme', 'promote', named)).toBe('ok');
    expect((await world.releaseOf('acme')).releaseVersion).toBe(releaseVersion);
  });

  it('is refused where it is under way or done already, and so would not end what it names', async () => {
    await staged.begun('acme', { a: 2 });
    await staged.begun('acme/app', { b: 2 });
    const named = { strategy: STAGES, preempt: ['acme/app'] };
    const refused = await world.release('acme', { action: 'promote', ...named });
    expect(refused).toMatchObject({ problem: { code: 'invalid-transition' } });
    expect(!refused.ok && refused.problem.detail).toContain('abort acme/app');
    expect((await preview(named)).errors).toMatchObject([{ keyword: 'invalid-transition' }]);
    const unknown = { strategy: STAGES, preempt: ['other/app'] };
    expect(await staged.act('acme', 'promote', unknown)).toBe('malformed-request');
    expect((await world.releaseOf('acme/app')).state).toBe('rolling');
  });

  it('is refused, and changes nothing, where one that is named cannot end with it', async () => {
    await staged.begun('acme/app', { b: 2 });
    await staged.begun('acme/app/eu', { c: 2 });
    await staged.begun('acme/shop', { d: 2 });
    await world.over('acme/app/eu', { c: 3 });
    await world.over('acme', { a: 2 });
    const why = async (at: string, ...preempt: string[]): Promise<string> => {
      const outcome = await world.release(at, { action: 'promote', strategy: STAGES, preempt });
      if (outcome.ok) return 'ok';
      const { errors = [] } = await preview({ strategy: STAGES, preempt }, at);
      expect(errors.map(({ keyword }) => keyword)).toEqual([outcome.problem.code]);
      return `${outcome.problem.code}: ${outcome.problem.detail}`;
    };
    const states = () => Promise.all(PLACES.map((at) => world.releaseOf(at)));
    const before = await states();
    const none = 'no release in stages of';
    expect(await why('acme', 'acme/app', 'acme/cart')).toContain(
      `invalid-transition: ${none} acme/cart`,
    );
    expect(await why('acme', 'acme//app')).toContain('malformed-request: preempt: ');
    expect(await why('acme', 'other/app')).toContain('preempt: other/app is not below acme,');
    expect(await why('acme', 'acme')).toContain('preempt: acme is not below acme,');
    await world.over('acme/app', { b: 3 });
    const over = { strategy: STAGES, conflict: 'supersede', preempt: ['acme/shop'] };
    expect(await staged.act('acme/app', 'promote', over)).toBe('malformed-request');
    expect(await states()).toEqual(before);
  });

  it('reaches nobody who stays at a version that is pinned, and so pre-empts nothing there', async () => {
    const pin = { action: 'pin', ancestor: 'acme', expireMs: 3_600_000, reason: 'x' };
    expect(code(await world.release('acme/app', pin as never))).toBe('ok');
    await staged.begun('acme/app', { b: 2 });
    await world.over('acme', { a: 2 });
    expect(await staged.act('acme', 'promote', { preempt: ['acme/app'] })).toBe(
      'invalid-transition',
    );
    expect(await staged.act('acme', 'promote')).toBe('ok');
    expect((await world.releaseOf('acme/app')).state).toBe('rolling');
  });
});
