import { address, shardOf } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FencingToken } from './fence.js';
import { OutcomeUnknownError, TruthUnavailableError } from './truth-store.port.js';

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
});

describe('when things fail', () => {
  it('drops the shard at the first refusal by the fence', async () => {
    await world.put('acme/app', { a: 1 });
    await world.fenceOff('acme');
    expect(code(await world.over('acme/app', { a: 2 }))).toBe('no-owner');
    expect(world.rechecked).toHaveLength(1);
    expect(code(await world.use.getConfig(address('acme/app')))).toBe('no-owner');
  });

  it('lets commands that run end before a lost shard is gone, and takes no new ones', async () => {
    await world.put('acme/app', { a: 1 });
    let release = (): void => undefined;
    world.truth.beforeCommit = () => new Promise((resolve) => (release = resolve));
    const running = world.over('acme/app', { a: 2 });
    const queued = world.over('acme/app', { a: 3 });
    await world.settle();
    let gone = false;
    const lost = world.lose('acme').then(() => (gone = true));
    await world.settle();
    expect(gone).toBe(false);
    expect(code(await world.over('acme/app', { a: 4 }))).toBe('no-owner');
    release();
    expect(await running).toMatchObject({ ok: true, value: { body: { version: 2 } } });
    expect(code(await queued)).toBe('no-owner');
    await lost;
  });

  it('reads memory anew after an unknown outcome', async () => {
    await world.put('acme/app', { a: 1 });
    world.truth.afterCommit = () => {
      world.truth.afterCommit = () => undefined;
      throw new OutcomeUnknownError('connection lost');
    };
    expect(code(await world.over('acme/app', { a: 2 }))).toBe('outcome-unknown');
    const next = await world.put('acme/app', { a: 3 }, { kind: 'match', versions: [2] });
    expect(next).toMatchObject({ ok: true, value: { body: { version: 3 } } });
  });

  it('publishes a release whose outcome was unknown, once it is read anew', async () => {
    await world.put('acme/app', { a: 1 });
    world.truth.afterCommit = () => {
      world.truth.afterCommit = () => undefined;
      throw new OutcomeUnknownError('connection lost');
    };
    expect(code(await world.promote('acme/app'))).toBe('outcome-unknown');
    expect(code(await world.promote('acme/app'))).toBe('ok');
    expect(await world.read('acme/app')).toEqual({ a: 1 });
  });

  it('changes nothing while PostgreSQL is away', async () => {
    await world.put('acme/app', { a: 1 });
    world.truth.beforeCommit = () => Promise.reject(new TruthUnavailableError('down'));
    expect(code(await world.over('acme/app', { a: 2 }))).toBe('truth-unavailable');
    world.truth.beforeCommit = () => Promise.resolve();
    expect(await world.over('acme/app', { a: 2 })).toMatchObject({
      value: { body: { version: 2 } },
    });
  });

  it('commits while NATS is down and publishes the newest when it is back', async () => {
    world.publisher.up = false;
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    await world.over('acme/app', { a: 2 });
    expect(code(await world.promote('acme/app'))).toBe('ok');
    await world.pass(1_000);
    expect(world.publisher.snapshots.size).toBe(0);
    world.publisher.up = true;
    await world.pass(10_000);
    expect(await world.read('acme/app')).toEqual({ a: 2 });
    expect(world.engine.status().pendingPublications).toBe(0);
  });

  it('republishes what was committed but not published when it starts again', async () => {
    await world.put('acme/app', { a: 1 });
    world.publisher.up = false;
    await world.promote('acme/app');
    await world.engine.stop();
    world.publisher.up = true;
    await world.restart();
    expect(await world.read('acme/app')).toEqual({ a: 1 });
  });

  it('rebuilds what JetStream lost', async () => {
    await world.put('acme/app', { big: 'x'.repeat(20_000) });
    await world.promote('acme/app');
    await world.settle();
    world.publisher.restore(true);
    expect(await world.read('acme/app')).toEqual({ big: 'x'.repeat(20_000) });
  });

  it('continues above what an adopted stream holds of another installation, and reports it', async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    const ahead = await world.published('acme/app');
    const forged = { ...ahead, installation: 'main/another', version: 9 };
    world.publisher.snapshots.set(address('acme/app').text, forged);
    await world.restart();
    expect((await world.published('acme/app')).version).toBe(10);
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    expect(world.incidents).toContain('jetstream-ahead');
  });

  it('renews many snapshots that are not what recomputing gives, some hundred at a time', async () => {
    const names = Array.from({ length: 600 }, (_, n) => `acme/a${n}`);
    for (const name of names) await world.put(name, {});
    const token = 5_000n as FencingToken;
    const fence = { shard: shardOf('acme', 4), token };
    await world.truth.raiseFence(fence, 'another');
    const images = await world.truth.loadShard(fence);
    const wrong = images.flatMap(({ snapshot }) =>
      snapshot === null ? [] : [{ ...snapshot, version: 2, hash: '0'.repeat(64) }],
    );
    const nothing = { definitions: [], releases: [], opened: [], forgotten: [], history: [] };
    const changeset = { ...nothing, root: 'acme', snapshots: wrong, idempotency: null };
    expect(await world.truth.commit(fence, changeset)).toMatchObject({ kind: 'committed' });
    const renewed: number[] = [];
    world.truth.beforeCommit = async ({ snapshots }) => void renewed.push(snapshots.length);
    await world.engine.host.claimed({ ...fence, token: 6_000n as FencingToken });
    expect(renewed).toEqual([256, 256, 88]);
    for (const name of names) {
      const { version, hash } = await world.published(name);
      expect([version, hash === '0'.repeat(64)]).toEqual([3, false]);
    }
  });

  it('has the same memory after a restart', async () => {
    await world.put('acme', { a: 1 });
    await world.promote('acme');
    await world.put('acme/app', { b: 1 });
    const before = await world.published('acme/app');
    await world.restart();
    expect(await world.published('acme/app')).toEqual(before);
    expect(await world.over('acme/app', { b: 2 })).toMatchObject({
      value: { body: { version: 2 } },
    });
  });
});
