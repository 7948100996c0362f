import { address } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { DAY_MS, pinsWorld } from '../testing/pins-world.fixture.js';
import type { PinsWorld } from '../testing/pins-world.fixture.js';
import { acceptCopy, HOUR_MS } from '../testing/staged-world.fixture.js';

const A = 'acme/prod';
const X = 'acme/prod/eu';
const RETRIED = 'a pin that has expired cannot end yet';
const WARNED = 'a pin has expired, and cannot end yet: it stays, and is tried again';

let pins: PinsWorld;
let world: EngineWorld;
/** `eu` stays at version 1 of `acme/prod`, which is at 2, for an hour. */
beforeEach(async () => {
  pins = await pinsWorld();
  ({ world } = pins);
  for (const a of [1, 2]) await pins.promoted(A, { a });
  await pins.promoted(X, { eu: 1 });
  await pins.look();
  expect(await pins.pin(X, A, { targetVersion: 1, expireMs: HOUR_MS })).toBe('ok');
  await pins.look();
});

const kept = () => pins.layer(X, A);
const overdue = async () => (await world.releaseOf(X)).pins?.[0]?.overdue;
const warnings = () => world.logged.filter((line) => line === WARNED).length;

/** So much time passes, and the owner looks then. */
async function later(ms: number): Promise<void> {
  world.time.suspend(ms - 2_000);
  await world.pass(2_000);
}

describe('a pin', () => {
  it('ends at its time, and not before', async () => {
    await later(HOUR_MS - 3_000);
    expect(await kept()).toEqual([1, X]);
    await later(4_000);
    expect(await kept()).toEqual([2]);
    await pins.look();
    expect(await world.releaseOf(X)).not.toHaveProperty('pins');
    expect(await world.history(X)).toMatchObject([
      { action: 'unpin', author: 'pawl', reason: 'the pin has expired' },
    ]);
    await pins.expectReloaded();
  });

  it('asks to be looked at when it ends, and is looked at when its owner is told to', async () => {
    const asked: unknown[] = [];
    world.wakeUps = { at: ({ text }, wallMs) => void asked.push([text, wallMs]) };
    const until = new Date(world.time.wallMs() + 2 * HOUR_MS).toISOString();
    await pins.pin(X, A, { until });
    expect(asked).toEqual([[X, Date.parse(until)]]);
    world.time.suspend(2 * HOUR_MS);
    await world.use.lookAgain(address(X));
    expect(await kept()).toEqual([2]);
  });

  it('is told of where it is kept of, until it is no more', async () => {
    const below = async () => (await world.releaseOf(A)).pinnedBelow;
    expect((await below())?.addresses).toEqual([
      { address: X, version: 1, until: expect.any(String) as string },
    ]);
    await pins.pin(X, A, { targetVersion: 2, expireMs: HOUR_MS });
    expect(await below()).toMatchObject({ count: 1, addresses: [{ version: 2 }] });
    await later(HOUR_MS + 2_000);
    expect(await below()).toBeUndefined();
  });

  it('that was given another end, or another version, ends by that', async () => {
    await pins.pin(X, A, { expireMs: DAY_MS });
    await later(2 * HOUR_MS);
    expect(await kept()).toEqual([1, X]);
    await pins.pin(X, A, { targetVersion: 2, expireMs: HOUR_MS });
    await later(HOUR_MS + 2_000);
    expect(await kept()).toEqual([2]);
    await pins.look();
  });

  it('ends each at its own time, of several of one address', async () => {
    await pins.promoted('acme', { root: 1 });
    await pins.promoted('acme', { root: 2 });
    await pins.pin(X, 'acme', { targetVersion: 1, expireMs: 2 * HOUR_MS });
    await later(HOUR_MS + 2_000);
    expect([await kept(), await pins.layer(X, 'acme')]).toEqual([[2], [1, X]]);
    await later(HOUR_MS);
    expect([await kept(), await pins.layer(X, 'acme')]).toEqual([[2], [2]]);
    await pins.look();
  });

  it('whose time has passed in a freeze ends with that, and says why it is there', async () => {
    await pins.promoted('acme:release-policy', { frozen: 'the sale' });
    await later(HOUR_MS + DAY_MS);
    expect(await kept()).toEqual([1, X]);
    expect(await overdue()).toBe('frozen: the sale');
    expect((await world.rollout(X)).pins?.[0]?.overdue).toBe('frozen: the sale');
    const read = await world.use.getEffective(address(X), { explain: true });
    expect(read.ok && read.value.pins?.[0]?.overdue).toBe('frozen: the sale');
    for (const view of [await world.rollout(A), await world.releaseOf(A)]) {
      const [below] = view.pinnedBelow?.addresses ?? [];
      expect(below).toMatchObject({ address: X, version: 1, overdue: 'frozen: the sale' });
    }
    expect(warnings()).toBe(0);
    await pins.promoted('acme:release-policy', {});
    await later(3_000);
    expect(await kept()).toEqual([2]);
  });

  it('made in the middle of a release waits for its end, says so, and others end meanwhile', async () => {
    await pins.unpin(X, A);
    const id = await pins.begun(A, { a: 9 });
    await pins.pin(X, A, { targetVersion: 2, expireMs: HOUR_MS });
    await later(2 * HOUR_MS);
    expect(await kept()).toEqual([2, X]);
    expect((await world.releaseOf(X)).pins).toMatchObject([
      {
        overdue: expect.stringMatching(
          `^release ${id} of version 3 of ${A}, in the middle of which`,
        ) as string,
      },
    ]);
    expect(await pins.act(A, 'abort')).toBe('ok');
    await later(2_000);
    expect(await kept()).toEqual([2]);
  });

  it('stays where what would come back breaks a schema, is tried again, and says why', async () => {
    await world.putSchema(X, { properties: { a: { maximum: 1 } } }, { kind: 'match-any' });
    await world.promote(X);
    await later(HOUR_MS + 2_000);
    for (let look = 0; look < 6; look += 1) await later(700_000);
    expect(await kept()).toEqual([1, X]);
    expect(await overdue()).toMatch(/^schema-violation: .*acme\/prod\/eu\/a/);
    expect(warnings()).toBe(1);
    await pins.promoted(A, { a: 0 });
    await later(700_000);
    expect(await kept()).toEqual([3]);
    await pins.look();
  });

  it('that stays is tried less and less often, ten minutes apart at last', async () => {
    await world.putSchema(X, { properties: { a: { maximum: 1 } } }, { kind: 'match-any' });
    await world.promote(X);
    const retried = () => world.logged.filter((line) => line === RETRIED).length;
    await later(HOUR_MS + 2_000);
    await world.pass(60_000);
    expect([warnings(), retried()]).toEqual([1, 2]);
    for (let look = 0; look < 10; look += 1) await later(100_000);
    expect(retried()).toBe(6);
  });

  it('waits for room where too many releases would be under way', async () => {
    await pins.promoted('acme', { root: 1 });
    for (const [at, document] of [
      ['acme', { root: 2 }],
      [A, { a: 3 }],
      [X, { eu: 2 }],
    ] as const)
      await pins.begun(at, document);
    await pins.promoted('acme/prod/eu/shop', { s: 1 });
    await pins.begun('acme/prod/eu/shop', { s: 2 });
    await later(HOUR_MS + 2_000);
    expect(await overdue()).toMatch(/^too-many-releases/);
    await pins.act(X, 'abort');
    await later(30_000);
    expect(await kept()).toEqual([2]);
    expect((await pins.whole('acme/prod/eu/shop')).releases).toHaveLength(3);
    await pins.look();
  });
});

describe('a pin, over fail-overs and failures', () => {
  it('is there under the next owner, which ends it', async () => {
    await world.lose('acme');
    world.time.suspend(HOUR_MS / 2);
    await world.restart();
    expect(await kept()).toEqual([1, X]);
    expect(await pins.layer(X, A)).toEqual([1, X]);
    await pins.promoted(A, { a: 3 });
    expect(await kept()).toEqual([1, X]);
    await later(HOUR_MS / 2 + 2_000);
    expect(await kept()).toEqual([3]);
    await pins.look();
  });

  it('whose time passed while nobody was there ends with the first look of the next owner', async () => {
    await world.lose('acme');
    world.time.suspend(DAY_MS);
    await world.restart();
    expect(await kept()).toEqual([1, X]);
    await world.pass(2_000);
    expect(await kept()).toEqual([2]);
    await pins.look();
  });

  it('is ended by nobody who is fenced off, or stopped', async () => {
    await world.fenceOff('acme');
    const committed = world.committed.length;
    await later(HOUR_MS + 2_000);
    await world.engine.stop();
    await later(HOUR_MS);
    expect(world.committed).toHaveLength(committed);
  });

  it('is tried again where PostgreSQL was away, and nothing was changed by that', async () => {
    world.truth.beforeCommit = () => Promise.reject(new TruthUnavailableError('down'));
    await later(HOUR_MS + 2_000);
    expect(await kept()).toEqual([1, X]);
    world.truth.beforeCommit = () => Promise.resolve();
    await world.pass(15_000);
    expect(await kept()).toEqual([2]);
    await pins.look();
  });

  it('stays where somebody gives it another end as it is about to end', async () => {
    world.time.suspend(HOUR_MS);
    const again = pins.pin(X, A, { expireMs: HOUR_MS });
    await world.use.lookAgain(address(X));
    expect(await again).toBe('ok');
    await world.pass(20_000);
    expect(await kept()).toEqual([1, X]);
  });

  it('still counts after a restore was accepted, and ends by its time', async () => {
    const putBack = world.truth.backup();
    await pins.promoted(A, { a: 3 });
    await acceptCopy(world, putBack);
    await world.restart();
    await pins.look();
    expect(await kept()).toEqual([1, X]);
    await later(HOUR_MS + 2_000);
    expect(await kept()).toEqual([2]);
    await pins.look();
  });
});
