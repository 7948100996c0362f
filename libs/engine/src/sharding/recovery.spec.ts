import { address } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { OutcomeUnknownError } from './truth-store.port.js';
import type { Changeset } from './truth-store.port.js';

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
});

/** The next commit that matches takes effect, and its answer is lost. */
function loseAnswer(matches: (changeset: Changeset) => boolean = () => true): void {
  world.truth.afterCommit = (changeset) => {
    if (!matches(changeset)) return;
    world.truth.afterCommit = () => undefined;
    throw new OutcomeUnknownError('connection lost');
  };
}

describe('after a lost answer', () => {
  it('looks the outcome up by itself and publishes it, without another command', async () => {
    await world.put('acme/app', { a: 1 });
    loseAnswer();
    expect(code(await world.promote('acme/app'))).toBe('outcome-unknown');
    expect(code(await world.use.getRelease(address('acme/app')))).toBe('no-owner');
    await world.pass(500);
    expect(await world.use.getRelease(address('acme/app'))).toMatchObject({
      value: { stableVersion: 1 },
    });
    expect(await world.read('acme/app')).toEqual({ a: 1 });
  });

  it('tells the status of what was published meanwhile, never converged', async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    await world.settle();
    const app = address('acme/app');
    world.truth.loadRoot = () => Promise.reject(new Error('down'));
    loseAnswer();
    await world.over('acme/app', { a: 2 });
    expect(await world.use.getRollout(app)).toMatchObject({
      ok: true,
      value: { published: { version: 2 }, converged: false },
    });
    expect(await world.use.listConsumers(app, { limit: 1 })).toMatchObject({ ok: true });
    expect(code(await world.use.getConfig(app))).toBe('no-owner');
  });

  it('answers nothing from memory to what waited for the same root meanwhile', async () => {
    await world.put('acme/app', { a: 1 });
    loseAnswer();
    const lost = world.over('acme/app', { a: 2 });
    const waiting = world.over('acme/app', { a: 1 });
    expect([code(await lost), code(await waiting)]).toEqual(['outcome-unknown', 'outcome-unknown']);
    expect(world.incidents).toEqual([]);
    expect(await world.over('acme/app', { a: 1 })).toMatchObject({
      value: { body: { version: 3 } },
    });
  });

  it('keeps looking while the truth is away', async () => {
    await world.put('acme/app', { a: 1 });
    const loadRoot = world.truth.loadRoot.bind(world.truth);
    let failures = 3;
    world.truth.loadRoot = (fence, root) => {
      failures -= 1;
      return failures >= 0 ? Promise.reject(new Error('down')) : loadRoot(fence, root);
    };
    loseAnswer();
    await world.promote('acme/app');
    await world.pass(10_000);
    expect(await world.read('acme/app')).toEqual({ a: 1 });
  });

  it('gets over one that was lost while it continued above an adopted stream', async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    const ahead = await world.published('acme/app');
    const installation = 'main/another';
    world.publisher.snapshots.set(address('acme/app').text, { ...ahead, installation, version: 9 });
    loseAnswer((changeset) => changeset.definitions.length === 0);
    await world.over('acme/app', { a: 2 });
    await world.promote('acme/app');
    await world.pass(10_000);
    expect(await world.read('acme/app')).toEqual({ a: 2 });
    expect(world.engine.status().pendingPublications).toBe(0);
  });
});

describe('publishing', () => {
  it('makes a content readable before its snapshot, and that before its push', async () => {
    await world.put('acme/app', { a: 1 });
    await world.settle();
    const calls: string[] = [];
    const { publisher } = world;
    const after = async <T>(name: string, call: Promise<T>): Promise<T> => {
      calls.push(`${name} begins`);
      await world.settle();
      const result = await call;
      calls.push(`${name} ends`);
      return result;
    };
    const store = publisher.storeContent.bind(publisher);
    const publish = publisher.publish.bind(publisher);
    publisher.storeContent = (root, hash, text) => after('content', store(root, hash, text));
    publisher.publish = (at, snapshot) => after('snapshot', publish(at, snapshot));
    publisher.onPush = () => void calls.push('push');
    await world.over('acme/app', { big: 'x'.repeat(20_000) });
    await world.promote('acme/app');
    await world.pass(100);
    expect(calls).toEqual([
      'content begins',
      'content ends',
      'snapshot begins',
      'snapshot ends',
      'push',
    ]);
  });

  it('stores a content when its snapshot is published, and then has it kept at a claim and a reconnect', async () => {
    const { publisher } = world;
    const calls: string[] = [];
    const store = publisher.storeContent.bind(publisher);
    const keep = publisher.keepContent.bind(publisher);
    publisher.storeContent = (...of) => (calls.push('store'), store(...of));
    publisher.keepContent = (...of) => (calls.push('keep'), keep(...of));
    await world.put('acme/app', { big: 'x'.repeat(20_000) });
    await world.promote('acme/app');
    await world.pass(100);
    expect(calls).toEqual(['store']);
    await world.restart();
    publisher.restore(false);
    await world.pass(100);
    expect(calls).toEqual(['store', 'keep', 'keep']);
  });

  it('does not let one address that fails delay another', async () => {
    await world.put('bad/app', { a: 1 });
    await world.settle();
    const publish = world.publisher.publish.bind(world.publisher);
    world.publisher.publish = async (at, snapshot) => {
      if (at.root === 'bad') throw new DistributionUnavailableError('refused');
      return publish(at, snapshot);
    };
    await world.promote('bad/app');
    await world.pass(2_000);
    await world.put('good/app', { a: 1 });
    await world.promote('good/app');
    expect(await world.read('good/app')).toEqual({ a: 1 });
    expect(world.engine.status().pendingPublications).toBe(1);
  });

  it('compares again what it could not read when it claimed', async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    const old = await world.published('acme/app');
    await world.over('acme/app', { a: 2 });
    await world.promote('acme/app');
    await world.pass(1_000);
    world.publisher.snapshots.set(address('acme/app').text, old);
    const read = world.publisher.read.bind(world.publisher);
    world.publisher.read = () => {
      world.publisher.read = read;
      return Promise.reject(new DistributionUnavailableError('slow'));
    };
    await world.restart();
    await world.pass(1_000);
    expect(await world.read('acme/app')).toEqual({ a: 2 });
  });

  it('never goes on above what is absurdly far ahead, and stays visible as pending', async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    const held = await world.published('acme/app');
    const absurd = { ...held, version: Number.MAX_SAFE_INTEGER };
    world.publisher.snapshots.set(address('acme/app').text, absurd);
    await world.over('acme/app', { a: 2 });
    expect(code(await world.promote('acme/app'))).toBe('ok');
    await world.pass(2_000);
    expect(world.engine.status().pendingPublications).toBe(1);
    expect(world.incidents).toContain('jetstream-ahead');
  });
});

it('does not pretend to own a shard that the fence took while it claimed', async () => {
  await world.put('acme/app', { a: 1 });
  await world.promote('acme/app');
  const held = await world.published('acme/app');
  const installation = 'main/another';
  world.publisher.snapshots.set(address('acme/app').text, { ...held, installation, version: 9 });
  world.truth.beforeCommit = async () => {
    world.truth.beforeCommit = () => Promise.resolve();
    await world.fenceOff('acme');
  };
  await expect(world.restart()).rejects.toThrow('fenced');
});
