import { shardOf } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const ACME = shardOf('acme', 4);
const ALARM = 'PostgreSQL lacks what was seen elsewhere';

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  expect(code(await world.put('acme/app', { a: 1 }))).toBe('ok');
  await release();
});

async function release(): Promise<void> {
  expect(code(await world.promote('acme/app'))).toBe('ok');
  await world.settle();
}

async function behind(): Promise<readonly number[]> {
  const status = await world.engine.restore.status();
  return status.ok ? status.value.shards.map(({ shard }) => shard) : [];
}

/** PostgreSQL has lost a release that JetStream shows. */
async function loseRelease(): Promise<void> {
  const older = world.truth.backup();
  await world.over('acme/app', { a: 2 });
  await release();
  older();
}

const alarms = (): number => world.logged.filter((line) => line.includes(ALARM)).length;

describe('a loss that PostgreSQL does not take down at once', () => {
  it('is written down as soon as it does, and told then; nothing is written meanwhile', async () => {
    await loseRelease();
    let attempts = 0;
    world.truth.beforeDeclare = () => {
      attempts += 1;
      return Promise.reject(new Error('the connection was lost'));
    };
    await world.restart();
    await world.pass(30_000);
    expect(attempts).toBeGreaterThan(5);
    expect(attempts).toBeLessThan(15);
    expect([alarms(), world.incidents, await behind()]).toEqual([0, [], []]);
    expect(code(await world.over('acme/app', { a: 3 }))).toBe('no-owner');
    expect(world.rechecked).toEqual([]);
    world.truth.beforeDeclare = () => Promise.resolve();
    await world.pass(5_000);
    expect(await behind()).toEqual([ACME]);
    expect([alarms(), world.incidents]).toEqual([1, ['truth-behind']]);
    expect(code(await world.over('acme/app', { a: 3 }))).toBe('truth-behind');
    const accepted = await world.engine.restore.accept({
      actor: 'ada',
      reason: 'lost',
      seen: { generation: 1, shards: [ACME] },
    });
    expect(accepted).toMatchObject({ value: { accepted: true } });
    await world.claimAll();
    expect(code(await world.over('acme/app', { a: 3 }))).toBe('ok');
  });

  it('is not asked for any more once the shard is lost', async () => {
    await loseRelease();
    let attempts = 0;
    world.truth.beforeDeclare = () => {
      attempts += 1;
      return Promise.reject(new Error('the connection was lost'));
    };
    await world.restart();
    await world.lose('acme');
    const before = attempts;
    await world.pass(20_000);
    expect([before, attempts]).toEqual([before, before]);
    expect(before).toBeGreaterThan(0);
  });

  it('drops the shard when the fence refuses it later', async () => {
    await loseRelease();
    world.truth.beforeDeclare = () => Promise.reject(new Error('the connection was lost'));
    await world.restart();
    world.truth.beforeDeclare = () => Promise.resolve();
    await world.fenceOff('acme');
    world.truth.beforeFences = () => Promise.reject(new Error('too'));
    await world.pass(5_000);
    expect([alarms(), world.incidents]).toEqual([0, []]);
    expect(world.rechecked).toContain(ACME);
  });
});

describe('a former owner', () => {
  it('raises no alarm when it finds what the next one has published', async () => {
    const given = await world.published('acme/app');
    world.publisher.up = false;
    await world.over('acme/app', { a: 2 });
    await release();
    await world.fenceOff('acme');
    world.publisher.snapshots.set('acme/app' as never, {
      ...given,
      version: given.version + 5,
      hash: 'f'.repeat(64),
    });
    world.publisher.up = true;
    world.truth.beforeFences = () => Promise.reject(new Error('cut off'));
    await world.pass(5_000);
    expect(world.rechecked).toContain(ACME);
    expect([alarms(), world.incidents]).toEqual([0, []]);
  });
});

describe('memory and the fence row disagree whether the shard is read-only', () => {
  it('is claimed anew when a copy comes back that does not know what was found', async () => {
    const newer = world.truth.backup();
    const held = { generation: 1, version: 9 };
    const has = { generation: 1, version: 1 };
    const fence = { shard: ACME, token: world.token };
    await world.truth.declareBehind(fence, 1, [{ address: 'acme/app', held, has }]);
    await world.pass(2_000);
    await world.claimAll();
    expect(code(await world.over('acme/app', { a: 3 }))).toBe('truth-behind');
    world.rechecked.length = 0;
    newer();
    await world.truth.raiseFence({ shard: ACME, token: world.token }, 'node-1/test');
    await world.pass(2_000);
    expect(world.rechecked).toContain(ACME);
    await world.claimAll();
    expect(code(await world.over('acme/app', { a: 3 }))).toBe('ok');
  });
});

describe('a shard that is found to be behind', () => {
  it('refuses writes of other roots that wait to be committed when it is found, and stays this owner’s', async () => {
    const given = await world.published('acme/app');
    const names = Array.from({ length: 100 }, (_, index) => `root-${index}`);
    const beside = names.filter((name) => shardOf(name, 4) === ACME).slice(0, 2);
    let commit = (): void => undefined;
    const held = new Promise<void>((resolve) => (commit = resolve));
    world.truth.beforeCommit = () => held;
    const waiting = beside.map((root) => world.put(`${root}/app`, { a: 1 }));
    await world.settle();
    world.publisher.snapshots.set('acme/app' as never, { ...given, version: given.version + 5 });
    world.publisher.restore(false);
    await world.settle();
    commit();
    expect((await Promise.all(waiting)).map(code)).toEqual(['truth-behind', 'truth-behind']);
    expect(world.rechecked).toEqual([]);
    expect(world.engine.status()).toMatchObject({ servedShards: 4, readOnlyShards: 1 });
  });
});

describe('accepting a restore', () => {
  it('is refused where it is another by now than what was looked at', async () => {
    await world.truth.declareBehind({ shard: ACME, token: world.token }, 1, [
      {
        address: 'acme/app',
        held: { generation: 1, version: 9 },
        has: { generation: 1, version: 1 },
      },
    ]);
    const by = { actor: 'ada', reason: 'lost' };
    const looked = { generation: 1, shards: [(ACME + 1) % 4] };
    const refusal = await world.engine.restore.accept({ ...by, seen: looked });
    expect(code(refusal)).toBe('restore-changed');
    expect(!refusal.ok && refusal.problem.detail).toContain(`read-only shards ${ACME};`);
    const status = await world.engine.restore.status();
    expect(status.ok && status.value.shards.map(({ shard }) => shard)).toEqual([ACME]);
    const seen = { generation: 1, shards: [ACME] };
    const accepted = await world.engine.restore.accept({ ...by, seen });
    expect(accepted).toMatchObject({ value: { accepted: true, generation: 2 } });
  });
});
