import { address } from '@pawl/contracts';
import type { EffectiveView, PreviewView, ReleaseRequest } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RootTree } from '../sharding/root-tree.js';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { DAY_MS, pinsWorld } from '../testing/pins-world.fixture.js';
import type { PinsWorld } from '../testing/pins-world.fixture.js';
import { STAGES } from '../testing/staged-world.fixture.js';

const A = 'acme/prod';
const X = 'acme/prod/eu';
const BELOW = 'acme/prod/eu/shop';
const OTHER = 'acme/prod/us';

const ASKED = { action: 'pin', expireMs: DAY_MS, reason: 'sick' };

let pins: PinsWorld;
let world: EngineWorld;
/** `acme/prod` is at version 3 of 3; `eu`, `eu/shop` and `us` lie below it. */
beforeEach(async () => {
  pins = await pinsWorld();
  ({ world } = pins);
  await pins.promoted('acme', { root: 1 });
  for (const a of [1, 2, 3]) await pins.promoted(A, { a, ['only' + a]: true });
  await pins.promoted(X, { eu: 1 });
  await pins.promoted(BELOW, { shop: 1 });
  await pins.promoted(OTHER, { us: 1 });
  await pins.look();
});

const inMs = (ms: number): string => new Date(world.time.wallMs() + ms).toISOString();
async function explained(at: string): Promise<EffectiveView> {
  const outcome = await world.use.getEffective(address(at), { explain: true });
  assert(outcome.ok, 'it is read');
  return outcome.value;
}

describe('a pin', () => {
  it('takes an address and those below it back to a version of an ancestor, and nobody else', async () => {
    const other = await world.published(OTHER);
    expect(await pins.pin(X, A, { targetVersion: 2, reason: 'slow in eu' })).toBe('ok');
    await pins.look();
    expect(await world.read(X)).toEqual({ root: 1, a: 2, only2: true, eu: 1 });
    expect(await world.read(BELOW)).toEqual({ root: 1, a: 2, only2: true, eu: 1, shop: 1 });
    expect(await pins.layer(BELOW, A)).toEqual([2, X]);
    expect(await world.published(OTHER)).toBe(other);
    expect(await world.releaseOf(X)).toMatchObject({
      ...{ releaseVersion: 2, stableVersion: 1 },
      pins: [
        {
          ...{ ancestor: A, version: 2, until: inMs(DAY_MS), by: 'anonymous', at: inMs(0) },
          reason: 'slow in eu',
        },
      ],
    });
    expect(await world.releaseOf(A)).toMatchObject({
      ...{ releaseVersion: 4, stableVersion: 3 },
      pinnedBelow: { count: 1, addresses: [{ address: X, version: 2, until: inMs(DAY_MS) }] },
    });
    await pins.expectReloaded();
  });

  it('stays at what is read now where no version is said, while the ancestor goes on', async () => {
    expect(await pins.pin(X, A)).toBe('ok');
    const kept = [await world.published(X), await world.published(BELOW)];
    await pins.promoted(A, { a: 4 });
    await pins.look();
    expect([await world.published(X), await world.published(BELOW)]).toEqual(kept);
    expect(await world.read(OTHER)).toEqual({ root: 1, a: 4, us: 1 });
    for (const action of ['disable', 'enable']) expect(await pins.act(A, action)).toBe('ok');
    expect(await pins.act(A, 'rollback', { targetVersion: 1 })).toBe('ok');
    await pins.look();
    expect(await pins.layer(X, A)).toEqual([3, X]);
    expect(await pins.layer(OTHER, A)).toEqual([1]);
    await pins.expectReloaded();
    expect(await pins.unpin(X, A)).toBe('ok');
    await pins.look();
    expect(await pins.layer(BELOW, A)).toEqual([1]);
    await pins.expectReloaded();
  });

  it('lets everything else through: own layers, and those above and between', async () => {
    await pins.pin(BELOW, A, { targetVersion: 1 });
    await pins.promoted('acme', { root: 2 });
    await pins.promoted(X, { eu: 2 });
    await pins.promoted(BELOW, { shop: 2 });
    await pins.look();
    expect(await world.read(BELOW)).toEqual({ root: 2, a: 1, only1: true, eu: 2, shop: 2 });
    expect(await world.read(X)).toEqual({ root: 2, a: 3, only3: true, eu: 2 });
    await pins.expectReloaded();
  });

  it('costs a change of the layer nothing at the addresses below it, however many they are', async () => {
    await pins.pin(X, A);
    const paths = vi.spyOn(RootTree.prototype, 'path');
    await pins.promoted(A, { a: 4 });
    const looked = paths.mock.calls.map(([{ text }]) => text);
    paths.mockRestore();
    expect(looked).toContain(OTHER);
    expect(looked.filter((at) => at.startsWith(X))).toEqual([]);
  });

  it('counts where it lies lowest, of several on the way', async () => {
    await pins.pin(X, A, { targetVersion: 2 });
    await pins.pin(BELOW, A, { targetVersion: 1 });
    await pins.pin(BELOW, 'acme', {});
    expect(await pins.layer(X, A)).toEqual([2, X]);
    expect(await pins.layer(BELOW, A)).toEqual([1, BELOW]);
    expect((await explained(BELOW)).pins).toMatchObject([
      { ancestor: 'acme', pinnedAt: BELOW },
      { ancestor: A, version: 1, pinnedAt: BELOW },
    ]);
    expect(await pins.unpin(BELOW, A)).toBe('ok');
    await pins.look();
    expect(await pins.layer(BELOW, A)).toEqual([2, X]);
    await pins.expectReloaded();
  });

  it('reaches an address that is opened below it, or written there later', async () => {
    await pins.pin(X, A, { targetVersion: 1 });
    await pins.fleet.add('acme/prod/eu/cart', 'shop', 1);
    expect(await world.read('acme/prod/eu/cart')).toEqual({ root: 1, a: 1, only1: true, eu: 1 });
    await pins.promoted('acme/prod/eu/web', { web: 1 });
    expect(await pins.layer('acme/prod/eu/web', A)).toEqual([1, X]);
    await pins.unpin(X, A);
    expect(await pins.layer('acme/prod/eu/cart', A)).toEqual([3]);
    await pins.expectReloaded();
  });

  it('is told by who set each value, and until when', async () => {
    await pins.pin(X, A, { targetVersion: 2 });
    const view = await explained(BELOW);
    expect(view.explain?.['/a']).toMatchObject({ address: A, version: 2 });
    expect(view.pins).toMatchObject([
      { ancestor: A, version: 2, pinnedAt: X, until: inMs(DAY_MS), reason: 'it is sick' },
    ]);
    expect(view.inputs).toMatchObject([{}, { address: A, pinnedAt: X }, {}, {}]);
    for (const at of [X, BELOW]) {
      const shown = (await world.rollout(at)).pins;
      expect(shown).toMatchObject([{ ancestor: A, version: 2, pinnedAt: X }]);
    }
    expect(await world.rollout(OTHER)).not.toHaveProperty('pins');
    expect((await world.rollout(A)).pinnedBelow).toMatchObject({ count: 1 });
    expect(await explained(OTHER)).not.toHaveProperty('pins');
  });

  it('is in the history of both, and so is its end', async () => {
    await pins.pin(X, A, { targetVersion: 2, reason: 'slow in eu' });
    const until = inMs(DAY_MS);
    expect(await world.history(X)).toMatchObject([
      { action: 'pin', message: `${A} at version 2 until ${until}`, reason: 'slow in eu' },
    ]);
    expect(await world.history(A)).toMatchObject([
      { action: 'pin', version: 2, releaseVersion: 4, message: `for ${X} until ${until}` },
    ]);
    await pins.unpin(X, A, { reason: 'well again' });
    expect(await world.history(X)).toMatchObject([
      { action: 'unpin', message: `${A} at version 2`, reason: 'well again', releaseVersion: 3 },
    ]);
  });

  it('is replaced: another end changes nothing that is read, another version does', async () => {
    await pins.pin(X, A, { targetVersion: 2 });
    const before = await world.published(X);
    expect(await pins.pin(X, A, { expireMs: 7 * DAY_MS, reason: 'still slow' })).toBe('ok');
    expect(await world.published(X)).toBe(before);
    const [kept, ...others] = (await world.releaseOf(X)).pins ?? [];
    expect([kept?.version, kept?.until, others]).toEqual([2, inMs(7 * DAY_MS), []]);
    expect((await world.releaseOf(A)).releaseVersion).toBe(4);
    for (const targetVersion of [1, 3]) {
      expect(await pins.pin(X, A, { targetVersion })).toBe('ok');
      await pins.look();
      expect(await pins.layer(BELOW, A)).toEqual([targetVersion, X]);
    }
    expect((await world.releaseOf(A)).releaseVersion).toBe(6);
    await pins.expectReloaded();
  });

  it('changes nothing when it is asked for once more, nor does an end of what is not there', async () => {
    const until = inMs(DAY_MS);
    await pins.pin(X, A, { until });
    const committed = world.committed.length;
    expect(await pins.pin(X, A, { until })).toBe('ok');
    expect(await pins.unpin(X, 'acme')).toBe('ok');
    expect(await pins.unpin(OTHER, A)).toBe('ok');
    expect(world.committed).toHaveLength(committed);
  });

  it('can be of every address above', async () => {
    const deep = [
      'acme',
      A,
      X,
      BELOW,
      ...'abcd'.split('').map((_, n, all) => [BELOW, ...all.slice(0, n + 1)].join('/')),
    ];
    for (const at of deep.slice(4)) await pins.promoted(at, { d: 1 });
    const lowest = deep.at(-1)!;
    for (const above of deep.slice(0, -1)) expect(await pins.pin(lowest, above)).toBe('ok');
    await pins.look();
    expect((await world.releaseOf(lowest)).pins).toHaveLength(7);
    await pins.expectReloaded();
  });
});

describe('a pin that is refused', () => {
  it.each([
    ['malformed-request', X, { ancestor: X }],
    ['malformed-request', X, { ancestor: OTHER }],
    ['malformed-request', X, { ancestor: BELOW }],
    ['malformed-request', X, { ancestor: 'acme/prod:other' }],
    ['malformed-request', X, { ancestor: 'ACME' }],
    ['malformed-request', X, { ancestor: undefined }],
    ['malformed-request', X, { reason: ' ' }],
    ['malformed-request', X, { expireMs: undefined }],
    ['malformed-request', X, { until: '2026-01-02T00:00:00Z' }],
    ['malformed-request', X, { expireMs: 59_999 }],
    ['malformed-request', X, { expireMs: 31 * DAY_MS }],
    ['malformed-request', X, { strategy: 'canary' }],
    ['malformed-request', X, { force: true }],
    ['not-found', 'acme/prod/cn', {}],
    ['use-promote', X, { targetVersion: 4 }],
    ['version-mismatch', X, { expectedReleaseVersion: 7 }],
  ] as const)('as %s', async (problem, at, more) => {
    await world.over(A, { a: 4 });
    await pins.fleet.add('acme/prod/cn', 'shop', 1);
    const committed = world.committed.length;
    const request = { action: 'pin', ancestor: A, expireMs: DAY_MS, reason: 'sick', ...more };
    expect(code(await world.release(at, request as ReleaseRequest))).toBe(problem);
    expect(world.committed).toHaveLength(committed);
  });

  it('says where {} is to be written, and where that would be no use', async () => {
    await world.put('other/app', {});
    const refused = [
      await world.release('acme/prod/cn', { ...ASKED, ancestor: A }),
      await world.release('other/app', { ...ASKED, ancestor: 'other' }),
      await world.release('acme/prod/cn', { action: 'unpin', ancestor: A }),
    ];
    expect(refused.map((one) => !one.ok && one.problem.detail)).toEqual([
      'there is no definition at acme/prod/cn: put {} there first, it changes nothing that is read',
      'there is no definition at other: there is no version to stay at',
      'there is no definition of acme/prod/cn, so nothing is pinned there',
    ]);
  });

  it('says what ends a pin whose layer does not fit any more, since nothing forces its end', async () => {
    await pins.pin(X, A, { targetVersion: 1 });
    await world.putSchema(X, { properties: { a: { maximum: 1 } } }, { kind: 'match-any' });
    await world.promote(X);
    expect(await pins.unpin(X, A)).toBe('schema-violation');
    const forced = await world.release(X, { action: 'unpin', ancestor: A, force: true });
    expect(!forced.ok && forced.problem.detail).toBe(
      `unpin cannot be forced, only rollback can: release at ${A} what fits, or where it does not fit a schema that takes it`,
    );
    await pins.promoted(A, { a: 0 });
    expect(await pins.unpin(X, A)).toBe('ok');
    await pins.look();
  });

  it('names the highest version that can be', async () => {
    await pins.pin(X, A, { targetVersion: 2 });
    const request = { action: 'pin', ancestor: A, expireMs: DAY_MS, reason: 'sick' };
    const refused = await world.release(BELOW, { ...request, targetVersion: 3 });
    expect(!refused.ok && refused.problem.detail).toContain('stays at version 2');
    expect(await pins.pin(BELOW, A, { targetVersion: 2 })).toBe('ok');
  });

  it('because the ancestor is disabled, released to nobody, or the version is blocked', async () => {
    await pins.act(A, 'block', { targetVersion: 1 });
    expect(await pins.pin(X, A, { targetVersion: 1 })).toBe('version-blocked');
    await pins.act(A, 'disable');
    expect(await pins.pin(X, A)).toBe('invalid-transition');
    await world.put('other', {});
    await world.put('other/app', {});
    expect(await pins.pin('other/app', 'other')).toBe('invalid-transition');
  });

  it('because a schema below would be broken, with the errors, and so is its end', async () => {
    const required = { type: 'object', required: ['only3'] };
    await world.putSchema(BELOW, required, { kind: 'match-any' });
    await world.promote(BELOW);
    const request = { action: 'pin', ancestor: A, expireMs: DAY_MS, reason: 'sick' };
    const refused = await world.release(X, { ...request, targetVersion: 2 });
    expect(refused).toMatchObject({
      problem: { code: 'schema-violation', errors: [{ address: BELOW, keyword: 'required' }] },
    });
    expect(await pins.pin(X, A)).toBe('ok');
    await pins.promoted(A, { a: 4 });
    expect(await pins.unpin(X, A)).toBe('schema-violation');
    expect(await pins.layer(BELOW, A)).toEqual([3, X]);
    await pins.promoted(A, { a: 5, only3: true });
    expect(await pins.unpin(X, A)).toBe('ok');
    await pins.look();
  });
});

describe('a pin and releases in stages of the ancestor', () => {
  it('takes candidates out of the release, which goes on without them until it ends', async () => {
    const [eu] = await pins.fleet.add(BELOW, 'shop', 1);
    const [us] = await pins.fleet.add(OTHER, 'cart', 1);
    await pins.begun(A, { a: 4 });
    await pins.look();
    expect(pins.fleet.candidates()).toEqual([eu, us]);
    expect(await pins.pin(X, A, { targetVersion: 2 })).toBe('ok');
    await pins.look();
    expect(pins.fleet.candidates()).toEqual([us]);
    expect(await world.releaseOf(A)).toMatchObject({ state: 'rolling', candidate: 4 });
    expect((await pins.whole(BELOW)).releases).toEqual([]);
    await pins.expectReloaded();
    // Who has missed the pin runs version 4 still, and would not be told that he is no candidate any more.
    expect(await pins.unpin(X, A)).toBe('release-in-flight');
    expect(await pins.pin(X, A, { targetVersion: 1 })).toBe('ok');
    expect(await pins.unpin(X, A)).toBe('release-in-flight');
    expect(await pins.act(A, 'abort')).toBe('ok');
    expect(await pins.unpin(X, A)).toBe('ok');
    await pins.look();
    expect(await world.read(BELOW)).toMatchObject({ root: 1, a: 3, eu: 1, shop: 1 });
  });

  it('lets the place into a release that began after it', async () => {
    const [eu] = await pins.fleet.add(BELOW, 'shop', 1);
    const [us] = await pins.fleet.add(OTHER, 'cart', 1);
    expect(await pins.pin(X, A, { targetVersion: 2 })).toBe('ok');
    const id = await pins.begun(A, { a: 4 });
    await pins.look();
    expect(await pins.pin(X, A, { targetVersion: 1 })).toBe('ok');
    expect(await pins.unpin(X, A)).toBe('ok');
    await pins.look();
    const back = await pins.whole(BELOW);
    expect(back.releases.map((one) => one.id)).toEqual([id]);
    expect(await world.read(BELOW, id)).toEqual({ root: 1, a: 4, eu: 1, shop: 1 });
    await pins.fleet.pass(10_000);
    expect(pins.fleet.candidates()).toEqual([eu, us]);
    expect(await pins.act(A, 'abort')).toBe('ok');
    await pins.look();
  });

  it('counts nobody there among those that a stage is to reach', async () => {
    await pins.pin(X, A);
    await pins.fleet.add(BELOW, 'shop', 12);
    await pins.fleet.add(OTHER, 'shop', 12);
    await pins.begun(A, { a: 4 });
    expect(await pins.act(A, 'advance')).toBe('ok');
    await pins.fleet.pass(10_000);
    const candidates = pins.fleet.candidates();
    expect(candidates.map(({ at }) => at)).toEqual(Array.from({ length: 6 }, () => OTHER));
    const [release] = (await world.rollout(A)).releases ?? [];
    expect(release?.candidates.live).toBe(6);
    const before = await world.published(BELOW);
    for (const action of ['advance', 'advance']) {
      expect(await pins.act(A, action)).toBe('ok');
      await pins.look();
    }
    expect(await world.releaseOf(A)).toMatchObject({ state: 'idle', stableVersion: 4 });
    expect(await world.published(BELOW)).toBe(before);
  });

  it('asks nobody there beforehand, and nobody there has to be well', async () => {
    const [eu] = await pins.fleet.add(BELOW, 'shop', 1);
    const [us] = await pins.fleet.add(OTHER, 'cart', 1);
    await pins.pin(X, A);
    const asked: string[] = [];
    eu!.vote = () => ({ verdict: 'reject', reason: 'never' });
    us!.vote = (prepare) => {
      asked.push(prepare.address);
      return { verdict: 'accept' };
    };
    await pins.begun(A, { a: 4 }, { stages: [{ percent: 100, bakeMs: 0 }], preflight: true });
    await pins.fleet.pass(30_000);
    expect(asked).toContain(OTHER);
    expect(await world.releaseOf(A)).toMatchObject({ state: 'idle', stableVersion: 4 });
    expect(await pins.layer(BELOW, A)).toEqual([3, X]);
    await pins.look();
  });

  it('leaves room for others on the way, and its end is refused where there is none', async () => {
    await pins.pin(X, A);
    await pins.begun(A, { a: 4 });
    await pins.begun('acme', { root: 2 });
    await pins.begun(X, { eu: 2 });
    await pins.begun(BELOW, { shop: 2 });
    expect((await pins.whole(BELOW)).releases).toHaveLength(3);
    expect(await pins.unpin(X, A)).toBe('too-many-releases');
    await pins.look();
    await pins.act('acme', 'abort');
    expect(await pins.unpin(X, A)).toBe('ok');
    await pins.look();
    expect((await pins.whole(BELOW)).releases).toHaveLength(3);
    await pins.expectReloaded();
  });

  it('is left out of a preview of a promote, which says how many addresses stay', async () => {
    await pins.fleet.add(BELOW, 'shop', 2);
    await pins.pin(X, A);
    await world.over(A, { a: 4 });
    const promote = { strategy: STAGES };
    const outcome = await world.use.preview(address(A), { promote });
    const view = (outcome.ok ? outcome.value : undefined) as PreviewView;
    expect(view.addresses.map((one) => one.address)).toEqual([A, OTHER]);
    expect(view.pinned).toBe(2);
    expect(view.stages?.at(-1)?.instances).toBe(0);
  });

  it('does not hold up, nor is ended by, what takes the ancestor back', async () => {
    const required = { type: 'object', required: ['only3'] };
    await world.putSchema(BELOW, required, { kind: 'match-any' });
    await world.promote(BELOW);
    expect(await pins.act(A, 'rollback', { targetVersion: 1 })).toBe('schema-violation');
    await pins.pin(X, A);
    expect(await pins.act(A, 'rollback', { targetVersion: 1 })).toBe('ok');
    expect((await world.releaseOf(A)).forced).toBeUndefined();
    await pins.look();
    expect(await pins.layer(BELOW, A)).toEqual([3, X]);
  });
});
