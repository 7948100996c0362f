import { setImmediate as turn } from 'node:timers/promises';
import { address, snapshotHash } from '@pawl/contracts';
import type { Hello, JsonValue, Outcome } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { createSchemaValidator } from '@pawl/validation';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { EngineWorld } from './testing/engine-world.js';
import { OutcomeUnknownError, TruthUnavailableError } from './sharding/truth-store.port.js';

const validator = createSchemaValidator();
afterAll(() => validator.close());

function newWorld(): EngineWorld {
  return new EngineWorld({
    sha256,
    validator,
    formatTime: (ms) => new Date(ms).toISOString(),
    parseTime: (text) => Date.parse(text),
    settle: async () => {
      for (let index = 0; index < 8; index += 1) await turn();
    },
  });
}

function code(outcome: Outcome<unknown>): string {
  return outcome.ok ? 'ok' : outcome.problem.code;
}

let world: EngineWorld;
beforeEach(async () => {
  world = newWorld();
  await world.claimAll();
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

describe('releasing', () => {
  it('publishes nothing of a version before it is promoted', async () => {
    await world.put('acme/app', { a: 1 });
    expect(await world.read('acme/app')).toBeNull();
    expect(await world.promote('acme/app')).toMatchObject({
      value: { body: { state: 'idle', releaseVersion: 1, stableVersion: 1 } },
    });
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    const snapshot = await world.published('acme/app');
    expect(snapshot).toMatchObject({
      installation: 'main/test',
      version: 2,
      generation: 1,
      inputs: [{ address: 'acme/app', definitionVersion: 1, releaseVersion: 1, loweredAt: null }],
    });
    expect(snapshotHash(snapshot, sha256)).toBe(snapshot.hash);
  });

  it('recomputes everything below, and only that', async () => {
    for (const at of ['acme', 'acme/a', 'acme/a/x', 'acme/b', 'acme:limits', 'other/a']) {
      await world.put(at, { [at]: 1 });
      await world.promote(at);
    }
    const before = new Map(world.publisher.snapshots);
    await world.over('acme/a', { 'acme/a': 2 });
    await world.promote('acme/a');
    await world.settle();
    const changed = [...world.publisher.snapshots]
      .filter(([at, snapshot]) => before.get(at) !== snapshot)
      .map(([at]) => at);
    expect(changed.sort()).toEqual(['acme/a', 'acme/a/x']);
    expect(await world.read('acme/a/x')).toEqual({ acme: 1, 'acme/a': 2, 'acme/a/x': 1 });
  });

  it('keeps the hash of a scope whose bytes did not change', async () => {
    await world.put('acme', { a: 1 });
    await world.promote('acme');
    await world.put('acme/app', { a: 5 });
    await world.promote('acme/app');
    const before = await world.published('acme/app');
    await world.over('acme', { a: 2 });
    await world.promote('acme');
    const after = await world.published('acme/app');
    expect(after.version).toBe(before.version + 1);
    expect(after.variants['']?.hash).toBe(before.variants['']?.hash);
  });

  it('goes back by rollback only, and says where it was lowered', async () => {
    for (const a of [1, 2]) {
      await world.put('acme/app', { a }, { kind: a === 1 ? 'none-given' : 'match-any' });
      await world.promote('acme/app');
    }
    expect(code(await world.promote('acme/app', 1))).toBe('use-rollback');
    expect(code(await world.release('acme/app', { action: 'rollback' }))).toBe('malformed-request');
    await world.release('acme/app', { action: 'rollback', targetVersion: 1 });
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    const snapshot = await world.published('acme/app');
    expect(snapshot.version).toBe(4);
    expect(snapshot.inputs).toEqual([
      { address: 'acme/app', definitionVersion: 1, releaseVersion: 3, loweredAt: 3 },
    ]);
  });

  it('gives the same bytes after disable and enable', async () => {
    await world.put('acme', { a: 1 });
    await world.promote('acme');
    await world.put('acme/app', { b: 1 });
    await world.promote('acme/app');
    const before = await world.published('acme/app');
    await world.release('acme', { action: 'disable' });
    expect(await world.read('acme/app')).toEqual({ b: 1 });
    expect((await world.published('acme/app')).inputs[0]).toMatchObject({
      definitionVersion: null,
      loweredAt: 2,
    });
    await world.release('acme', { action: 'enable' });
    const after = await world.published('acme/app');
    expect(after.variants).toEqual(before.variants);
  });

  it('refuses a rollback that breaks a schema, names one that would not, and obeys force', async () => {
    for (const a of [1, 'two', 3]) {
      await world.put('acme/app', { a }, { kind: a === 1 ? 'none-given' : 'match-any' });
      await world.promote('acme/app');
    }
    await world.putSchema('acme', { properties: { a: { type: 'integer' } } });
    await world.promote('acme');
    const back = await world.release('acme/app', { action: 'rollback', targetVersion: 2 });
    expect(back).toMatchObject({ problem: { code: 'schema-violation' } });
    expect(back.ok || back.problem.detail).toContain('would not is 1');
    const forced = await world.release('acme/app', {
      action: 'rollback',
      targetVersion: 2,
      force: true,
      reason: 'incident 7',
    });
    expect(forced).toMatchObject({ value: { body: { stableVersion: 2, forced: true } } });
    expect((await world.published('acme/app')).inputs.at(-1)).toMatchObject({ forced: true });
    const history = await world.use.listHistory(address('acme/app'), { limit: 1 });
    expect(history).toMatchObject({
      value: {
        items: [{ kind: 'release', action: 'rollback', forced: true, reason: 'incident 7' }],
      },
    });
  });

  it('does not promote a blocked version, whoever asks', async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    await world.over('acme/app', { a: 2 });
    await world.release('acme/app', { action: 'block', targetVersion: 2 });
    expect(code(await world.promote('acme/app'))).toBe('version-blocked');
    await world.release('acme/app', { action: 'unblock', targetVersion: 2 });
    expect(code(await world.promote('acme/app'))).toBe('ok');
  });

  it('refuses what would make an effective document too large, naming the address', async () => {
    const big = 'x'.repeat(600 * 1024);
    await world.put('acme/app', { low: big });
    await world.promote('acme/app');
    const put = await world.put('acme', { high: big });
    expect(put).toMatchObject({ value: { body: { warnings: [{ address: 'acme/app' }] } } });
    expect(await world.promote('acme')).toMatchObject({
      problem: { code: 'too-large', errors: [{ address: 'acme/app' }] },
    });
  });

  it('stores large contents by hash before the snapshot that names them', async () => {
    const value = { big: 'x'.repeat(20_000) };
    await world.put('acme/app', value);
    await world.promote('acme/app');
    expect((await world.published('acme/app')).variants['']?.inline).toBeUndefined();
    expect(await world.read('acme/app')).toEqual(value);
  });
});

describe('when things fail', () => {
  it('drops the shard at the first refusal by the fence', async () => {
    await world.put('acme/app', { a: 1 });
    await world.fenceOff('acme');
    expect(code(await world.over('acme/app', { a: 2 }))).toBe('no-owner');
    expect(world.rechecked).toHaveLength(1);
    expect(code(await world.use.getConfig(address('acme/app')))).toBe('no-owner');
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

  it('continues above what JetStream holds, and reports it', async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    const ahead = await world.published('acme/app');
    const forged = { ...ahead, version: 9 };
    world.publisher.snapshots.set(address('acme/app').text, forged);
    await world.restart();
    expect((await world.published('acme/app')).version).toBe(10);
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    expect(world.incidents).toContain('jetstream-ahead');
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

describe('consumers', () => {
  const pod = { root: 'acme', workload: 'checkout', consumerId: 'pod-1' };
  const hello = (version: number, more: Partial<Hello> = {}): Hello => ({
    format: 1,
    incarnation: 'i1',
    labels: {},
    runs: [{ address: 'acme/app', generation: 1, version }],
    ...more,
  });
  const rollout = async () => {
    const view = await world.use.getRollout(address('acme/app'));
    if (!view.ok) throw new Error(view.problem.code);
    return view.value;
  };

  beforeEach(async () => {
    await world.put('acme/app', { a: 1 });
    await world.promote('acme/app');
    await world.settle();
  });

  it('are counted by what they say, never by what was sent', async () => {
    const reply = await world.use.hello(pod, hello(0));
    expect(reply).toMatchObject({ slot: 0, newest: [{ address: 'acme/app', version: 2 }] });
    expect(await rollout()).toMatchObject({
      consumers: { live: 1, applied: 0, lagging: 1, byVersion: { '0': 1 } },
      converged: false,
    });
    world.time.advance(40);
    const item = { address: 'acme/app', generation: 1, version: 2, state: 'applied', ageMs: 10 };
    world.use.ack(pod, { format: 1, incarnation: 'i1', items: [item as never] });
    expect(await rollout()).toMatchObject({
      consumers: { live: 1, applied: 1, lagging: 0 },
      propagationMs: { p50: 30, max: 30 },
      converged: true,
    });
  });

  it('are not live after three silent heartbeats, and live at once when heard', async () => {
    await world.use.hello(pod, hello(2));
    await world.pass(15_000);
    expect((await rollout()).consumers.live).toBe(1);
    await world.pass(100);
    expect((await rollout()).consumers.live).toBe(0);
    await world.use.hello(pod, hello(2));
    expect((await rollout()).consumers.live).toBe(1);
  });

  it('show two processes under one id as duplicates, none hidden by the other', async () => {
    await world.use.hello(pod, hello(2));
    const rejected = { generation: 1, version: 2, reason: 'limits too high' };
    await world.use.hello(pod, {
      ...hello(0, { incarnation: 'i2' }),
      runs: [{ address: 'acme/app', generation: 0, version: 0, rejected }],
    });
    await world.use.hello(pod, hello(2));
    const list = await world.use.listConsumers(address('acme/app'), { limit: 10 });
    expect(list).toMatchObject({
      value: {
        items: [
          { incarnation: 'i1', state: 'applied', duplicate: true },
          { incarnation: 'i2', state: 'rejected', reason: 'limits too high', duplicate: true },
        ],
      },
    });
    expect(await rollout()).toMatchObject({
      consumers: { live: 2, applied: 1, rejected: 1 },
      rejections: [{ reason: 'limits too high', count: 1 }],
      converged: false,
    });
  });

  it('are replaced without a duplicate when the former process stays silent', async () => {
    await world.use.hello(pod, hello(2));
    world.time.advance(1_000);
    await world.use.hello(pod, hello(2, { incarnation: 'i2' }));
    const list = await world.use.listConsumers(address('acme/app'), { limit: 10 });
    expect(list.ok && list.value.items.map((item) => item.incarnation)).toEqual(['i2']);
  });

  it('lease the lowest free slot, inherited when its holder is gone', async () => {
    const slotOf = async (consumerId: string) =>
      (await world.use.hello({ ...pod, consumerId }, hello(2)))?.slot;
    expect([await slotOf('a'), await slotOf('b'), await slotOf('a')]).toEqual([0, 1, 0]);
    await world.use.hello({ ...pod, consumerId: 'a' }, hello(2, { leaving: true }));
    expect([await slotOf('c'), await slotOf('b')]).toEqual([0, 1]);
  });

  it('make an address known by opening it below a document, but not elsewhere', async () => {
    const open = (at: string): Hello =>
      hello(0, { runs: [{ address: at, generation: 0, version: 0 }] });
    await world.use.hello(pod, open('acme/app/eu'));
    await world.use.hello(pod, open('acme/other'));
    expect(await world.read('acme/app/eu')).toEqual({ a: 1 });
    expect(world.publisher.snapshots.has(address('acme/other').text)).toBe(false);
    await world.over('acme/app', { a: 2 });
    await world.promote('acme/app');
    expect(await world.read('acme/app/eu')).toEqual({ a: 2 });
    const weekMs = 7 * 24 * 3_600_000;
    world.time.advance(weekMs + 60_000);
    await world.sweepAll('consumers');
    expect(code(await world.use.getEffective(address('acme/app/eu'), { explain: false }))).toBe(
      'not-found',
    );
  });

  it('are still known after a restart', async () => {
    await world.use.hello(pod, hello(2));
    await world.pass(1_100);
    await world.restart();
    expect((await rollout()).consumers).toMatchObject({ live: 1, applied: 1 });
  });

  it('make the owner publish again when they show that JetStream is behind', async () => {
    const before = await world.published('acme/app');
    world.publisher.snapshots.delete(address('acme/app').text);
    await world.use.hello(pod, hello(before.version + 1));
    expect(await world.published('acme/app')).toMatchObject({ version: before.version });
  });
});

describe('looking', () => {
  it('explains who set what, diffs and previews without changing anything', async () => {
    await world.put('acme', { a: 1, list: [1, 2] }, { kind: 'none-given' }, { actor: 'ada' });
    await world.promote('acme');
    await world.put('acme/app', { b: { c: 1 } }, { kind: 'none-given' }, { actor: 'bob' });
    await world.promote('acme/app');
    const effective = await world.use.getEffective(address('acme/app'), { explain: true });
    expect(effective).toMatchObject({
      value: {
        document: { a: 1, list: [1, 2], b: { c: 1 } },
        explain: {
          '/a': { address: 'acme', version: 1, author: 'ada' },
          '/b/c': { address: 'acme/app', author: 'bob' },
        },
      },
    });
    await world.over('acme/app', { b: { c: 2, d: null } });
    expect(await world.use.diff(address('acme/app'), 1, 2)).toEqual({
      ok: true,
      value: {
        from: 1,
        to: 2,
        patch: [
          { op: 'replace', path: '/b/c', value: 2 },
          { op: 'add', path: '/b/d', value: null },
        ],
      },
    });
    const preview = await world.use.preview(address('acme'), { document: { a: 2, list: [2] } });
    expect(preview).toMatchObject({
      value: {
        valid: true,
        patch: [
          { op: 'replace', path: '/a', value: 2 },
          { op: 'remove', path: '/list/0' },
        ],
        addresses: [
          { address: 'acme', changed: true },
          { address: 'acme/app', changed: true },
        ],
      },
    });
    expect(await world.use.getConfig(address('acme'))).toMatchObject({ value: { version: 1 } });
  });

  it('previews an address that is not written yet, over what is below it', async () => {
    await world.put('acme/prod/app', { a: 1 });
    await world.promote('acme/prod/app');
    const preview = await world.use.preview(address('acme/prod'), {
      document: { z: 1 } as JsonValue as never,
    });
    expect(preview).toMatchObject({
      value: { addresses: [{ address: 'acme/prod' }, { address: 'acme/prod/app', changed: true }] },
    });
  });

  it('lists scopes by whole segments, page by page', async () => {
    for (const at of ['acme/a', 'acme/ab', 'acme/a/x', 'acme/a:limits']) await world.put(at, {});
    const first = await world.use.listScopes({ limit: 2, prefix: 'acme/a' });
    expect(first).toMatchObject({
      value: { items: [{ address: 'acme/a' }, { address: 'acme/a/x' }], next: 'acme/a/x' },
    });
    const rest = await world.use.listScopes({ limit: 2, prefix: 'acme/a', cursor: 'acme/a/x' });
    expect(rest).toMatchObject({ value: { items: [{ address: 'acme/a:limits' }] } });
    expect(rest.ok && rest.value.next).toBeUndefined();
  });
});
