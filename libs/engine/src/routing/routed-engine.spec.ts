import { address, refused } from '@pawl/contracts';
import type { JsonObject, OwnerCall, Outcome, ReleaseRequest, RolloutView } from '@pawl/contracts';
import { isOwnerCommand } from '@pawl/contracts/validate';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ConfigEngine } from '../config-engine.js';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { readSourceChange } from '../config/read-source-change.js';
import { answerCall } from './answer-call.js';
import { CommandOutcomeUnknownError } from './owner-calls.port.js';
import { routedEngine } from './routed-engine.js';
import type { RoutedEngineOptions } from './routed-engine.js';

const APP = address('acme/app');
const ANN = { actor: 'ann' };

let world: EngineWorld;
/** Answers of the owner that are lost before they arrive. */
let lose: number;
/** Whether the owner never answers. */
let silent: boolean;
/** Requests that wait for answers: time holds on to them. */
let unanswered: number;
let calls: OwnerCall[];
let ids: number;
let any: ConfigEngine;

/** Another node than the owner of everything, which reaches it by JSON as NATS carries it. */
beforeEach(async () => {
  world = await claimedWorld();
  [lose, calls, ids] = [0, [], 0];
  [silent, unanswered] = [false, 0];
  const stranger = new Proxy({} as ConfigEngine, {
    get: () => () => Promise.reject(new Error('not the owner')),
  });
  any = routedEngine(options(stranger));
});

function options(local: ConfigEngine): RoutedEngineOptions {
  return {
    local,
    serves: () => false,
    ownership: {
      map: () =>
        [0, 1, 2, 3].map((shard) => ({
          shard,
          owner: 'node-1',
          token: 101n,
          serving: true,
          since: null,
        })),
      lookUp: () => Promise.reject(new Error('not needed')),
      onChange: () => ({ stop: () => undefined }),
      mayMove: () => false,
    },
    calls: {
      call: async (_, { json }, deadlineMs) => {
        const sent: unknown = JSON.parse(json);
        if (!isOwnerCommand(sent) || sent.kind !== 'call') return refused('internal', 'no call');
        calls.push(silent ? { ...sent, operation: 'get-release' } : sent);
        if (silent) {
          return new Promise((_, reject) => {
            unanswered += 1;
            world.time.after(deadlineMs, () => reject(new CommandOutcomeUnknownError('late')));
          });
        }
        const answer = await answerCall(world.use, sent);
        if ((lose -= 1) >= 0) throw new CommandOutcomeUnknownError('lost');
        return JSON.parse(JSON.stringify(answer)) as Outcome<unknown>;
      },
    },
    shards: 4,
    clock: world.time,
    timer: world.time,
    newId: () => String((ids += 1)),
    deadlineMs: 10_000,
    maxRouted: 100,
  };
}

/** Lets the world's time pass until `work` settles. */
async function settled<T>(work: Promise<T>): Promise<T> {
  let pending = true;
  const done = work.finally(() => (pending = false));
  while (pending) {
    for (let index = 0; index < 4 && pending; index += 1) await turn();
    if (pending) world.time.advance(20);
  }
  return done;
}

const put = (engine: ConfigEngine, document: object, version?: number) =>
  engine.putConfig(
    {
      address: APP,
      precondition:
        version === undefined ? { kind: 'match-none' } : { kind: 'match', versions: [version] },
      message: 'why',
      context: ANN,
    },
    document as never,
  );

describe('on a node that owns nothing', () => {
  it('every use-case answers what the owner answers', async () => {
    const promote: ReleaseRequest = { action: 'promote', reason: 'now' };
    const write = { address: APP, context: ANN } as const;
    expect(await put(any, { a: 1, n: 1.5 })).toMatchObject({
      value: { status: 201, replayed: false, body: { version: 1, author: 'ann', message: 'why' } },
    });
    const merged = await any.patchConfig(
      { ...write, precondition: { kind: 'match-any' } },
      'merge-patch',
      { b: null, c: [1] },
    );
    expect(merged).toMatchObject({ value: { body: { version: 2 } } });
    const schema = { type: 'object', properties: { a: { type: 'integer' } } };
    const typed = await any.putSchema(
      { ...write, precondition: { kind: 'match', versions: [2] } },
      schema,
    );
    expect(typed).toMatchObject({ value: { body: { version: 3 } } });
    expect(await any.release(APP, promote, ANN)).toMatchObject({
      value: { body: { stableVersion: 3 }, replayed: false },
    });
    expect(await put(any, { a: 'x' }, 3)).toMatchObject({
      problem: { code: 'schema-violation', errors: [{ pointer: '/a' }] },
    });
    expect(await put(any, { a: 1 }, 1)).toMatchObject({
      problem: { code: 'version-mismatch', currentVersion: 3 },
    });
    const same: ((engine: ConfigEngine) => Promise<unknown>)[] = [
      (engine) => engine.getConfig(APP),
      (engine) => engine.getConfig(APP, 1),
      (engine) => engine.getConfig(APP, 9),
      (engine) => engine.getSchema(APP),
      (engine) => engine.getRelease(APP),
      (engine) => engine.getEffective(APP, { explain: true, workload: 'shop' }),
      (engine) => engine.getRollout(APP),
      (engine) => engine.sumUpRelease(APP, 'r1'),
      (engine) => engine.listConsumers(APP, { limit: 10, state: 'applied' }),
      (engine) => engine.listHistory(APP, { limit: 2 }),
      (engine) => engine.diff(APP, 1, 2),
      (engine) => engine.preview(APP, { document: { a: 2 } }),
      (engine) => engine.lookAgain(APP),
      (engine) => engine.lookAgain(address('nobody/here')),
      (engine) => engine.getConfig(address('nobody/here')),
    ];
    for (const ask of same) {
      expect(await ask(any)).toEqual(JSON.parse(JSON.stringify(await ask(world.use))));
    }
    const bare = await any.deleteSchema({ ...write, precondition: { kind: 'match-any' } });
    expect(bare).toMatchObject({ value: { body: { version: 4 } } });
    expect(new Set(calls.map(({ operation }) => operation)).size).toBe(16);
  });

  it('a write whose answer was lost is done once, and told as done', async () => {
    lose = 2;
    const written = await settled(put(any, { a: 1 }));
    expect(written).toMatchObject({
      value: { status: 201, replayed: false, body: { version: 1 } },
    });
    expect(calls).toHaveLength(3);
    expect(await world.use.listHistory(APP, { limit: 10 })).toMatchObject({
      value: { items: [{ version: 1 }] },
    });
    await settled(put(any, { a: 2 }, 1));
    expect(
      new Set(calls.map((call) => 'context' in call && call.context.idempotency?.key)),
    ).toEqual(new Set(['routed 1', 'routed 2']));
  });

  it('a preflight whose answer was lost is asked for again, and made once', async () => {
    await put(any, { a: 1 });
    let asked = 0;
    world.publisher.onPrepare = () => (asked += 1);
    await world.use.hello(
      { root: 'acme', workload: 'app', consumerId: 'c' },
      {
        ...{ format: 1, incarnation: 'i', labels: {} },
        runs: [{ address: 'acme/app', generation: 1, version: 1 }],
      },
    );
    calls = [];
    lose = 1;
    const answer = await settled(any.preflight(APP, { timeoutMs: 1_000 }, 'p1'));
    expect(answer).toMatchObject({
      value: { id: 'p1', valid: false, consumers: { asked: 1, silent: 1 } },
    });
    expect(calls).toMatchObject([
      { operation: 'preflight', id: 'p1' },
      { operation: 'preflight', id: 'p1' },
    ]);
    expect(asked).toBe(2);
  });

  it('a caller’s own key gives the first answer again, and says so', async () => {
    const context = { actor: 'ann', idempotency: { key: 'PUT /x k', requestHash: 'a'.repeat(64) } };
    const write = () =>
      any.putConfig({ address: APP, precondition: { kind: 'match-none' }, context }, { a: 1 });
    expect(await write()).toMatchObject({ value: { replayed: false } });
    expect(await write()).toMatchObject({ value: { status: 201, replayed: true } });
  });

  it('a body is held as text while its owner does not answer', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    silent = true;
    const held = [
      (body: JsonObject) => put(any, body),
      (body: JsonObject) =>
        any.patchConfig(
          { address: APP, precondition: { kind: 'match-any' }, context: ANN },
          'merge-patch',
          body,
        ),
      (body: JsonObject) => any.preview(APP, { document: body }),
    ].map((send) => {
      const body = { a: [] };
      void send(body);
      return new WeakRef(body);
    });
    for (let round = 0; round < 20 && held.some((ref) => ref.deref()); round += 1) {
      await turn();
      collect();
    }
    expect(unanswered).toBe(3);
    expect(held.map((ref) => ref.deref())).toEqual([undefined, undefined, undefined]);
  });

  it('what has become a message is done from it when the shard comes here, in its turn', async () => {
    const turns: number[] = [];
    let serves = false;
    const engine = routedEngine({
      ...options(world.use),
      serves: () => serves,
      calls: {
        call: () => {
          serves = true;
          return Promise.reject(new CommandOutcomeUnknownError('lost'));
        },
      },
      inTurn: (length, work) => {
        turns.push(length);
        return work();
      },
    });
    const document = { a: 'x'.repeat(1_000) };
    expect(await settled(put(engine, document))).toMatchObject({
      value: { status: 201, replayed: false, body: { version: 1 } },
    });
    expect(await world.use.getConfig(APP)).toMatchObject({ value: { document } });
    expect(turns).toHaveLength(1);
    expect(turns[0]).toBeGreaterThan(1_000);
  });

  it('status is told as it was saved when the owner does not answer within a second', async () => {
    const engine = routedEngine({ ...options(world.otherEngine().use), saved: world.engine.saved });
    await world.put('acme/app', { a: 1 });
    await world.settle();
    expect(await engine.getRollout(APP)).toEqual(await world.use.getRollout(APP));
    silent = true;
    const fromMs = world.time.monotonicMs();
    const { value } = (await settled(engine.getRollout(APP))) as { value: RolloutView };
    expect(value).toMatchObject({ address: 'acme/app', asOf: expect.any(String) as string });
    const page = await settled(engine.listConsumers(APP, { limit: 10 }));
    expect(page).toMatchObject({ value: { items: [], asOf: expect.any(String) as string } });
    expect(world.time.monotonicMs() - fromMs).toBeLessThan(2_000);
    world.truth.beforeFences = () => Promise.reject(new TruthUnavailableError('down'));
    expect(await settled(engine.getRollout(APP))).toMatchObject({ problem: { code: 'no-owner' } });
    silent = false;
    expect(await engine.getRollout(APP)).toEqual(await world.use.getRollout(APP));
  });

  it('whoever follows a rollout is told to look again, until he stops', async () => {
    let looks = 0;
    const quiet = { ...world.use, watchRollout: () => ({ stop: () => undefined }) };
    const engine = routedEngine({
      local: quiet,
      serves: () => false,
      ownership: {
        map: () => [],
        lookUp: () => Promise.reject(new Error('no')),
        onChange: () => ({ stop: () => undefined }),
        mayMove: () => false,
      },
      calls: { call: () => Promise.reject(new Error('no')) },
      shards: 4,
      clock: world.time,
      timer: world.time,
      newId: () => '',
      deadlineMs: 1,
      maxRouted: 1,
    });
    const following = engine.watchRollout(APP, () => (looks += 1));
    world.time.advance(1_000);
    expect(looks).toBe(3);
    following.stop();
    world.time.advance(1_000);
    expect(looks).toBe(3);
  });
});

it('merges from an owner onto another: reads the one, writes at the other, once', async () => {
  const [from, to] = [address('acme/staging'), address('other/prod')];
  await world.put(from.text, { a: 1 });
  await world.put(to.text, { a: 1, own: true });
  await world.over(from.text, { a: 2 });
  const request = { from: from.text, baseVersion: 1 };
  const change = await readSourceChange(any, to, request);
  if (!change.ok) throw new Error(change.problem.detail);
  expect(await any.planMerge(to, change.value)).toMatchObject({ value: { changed: true } });
  lose = 1;
  const write = {
    address: to,
    precondition: { kind: 'match', versions: [1] },
    context: ANN,
  } as const;
  const written = await settled(any.mergeConfig(write, change.value));
  expect(written).toMatchObject({ value: { body: { version: 2 }, replayed: false } });
  expect(await any.getConfig(to)).toMatchObject({ value: { document: { a: 2, own: true } } });
  const origin = { address: from.text, version: 2, baseVersion: 1 };
  expect(await any.getMergeBase(to, from)).toEqual({ ok: true, value: { version: 2, origin } });
  expect(calls.map(({ operation }) => operation)).toEqual([
    ...['get-config', 'get-config', 'plan-merge', 'merge-config', 'merge-config'],
    ...['get-config', 'get-merge-base'],
  ]);
});
