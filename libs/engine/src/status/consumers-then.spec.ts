import { address, shardOf } from '@pawl/contracts';
import type { Ack, Hello } from '@pawl/contracts';
import { beforeEach, expect, it } from 'vitest';
import type { PastQuery } from '../config-engine.js';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const APP = address('acme/app');
const pod = (consumerId: string) => ({ root: 'acme', workload: 'checkout', consumerId });
const run = (version: number): Hello['runs'][number] => {
  return { address: 'acme/app', generation: 1, version };
};
const hello = (runs: Hello['runs'], more: Partial<Hello> = {}): Hello => {
  return { format: 1, incarnation: 'i1', labels: {}, runs, ...more };
};

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put('acme/app', { a: 1 });
  await world.promote('acme/app');
  await world.settle();
});

function ack(consumerId: string, item: Partial<Ack['items'][number]>): void {
  const whole = { address: 'acme/app', generation: 1, version: 2, state: 'applied', ageMs: 0 };
  const items = [{ ...whole, ...item } as Ack['items'][number]];
  world.use.ack(pod(consumerId), { format: 1, incarnation: 'i1', items });
}

type Asked = PastQuery extends infer One ? Partial<One> : never;

async function then(withinMs: number, more: Asked = {}) {
  const outcome = await world.use.consumersThen(APP, {
    limit: 100,
    withinMs,
    ...more,
  });
  if (!outcome.ok) throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
  return outcome.value;
}

async function ran(withinMs: number, more: Asked = {}): Promise<string[]> {
  const { items } = await then(withinMs, more);
  return items.map(({ consumerId, version, state }) => `${consumerId} ${version} ${state}`);
}

it('tells what each instance ran then, by its own word, and what was published', async () => {
  await world.use.hello(pod('a'), hello([run(2)]));
  await world.use.hello(pod('b'), hello([run(2)]));
  await world.pass(10_000);
  await world.over('acme/app', { a: 2 });
  await world.promote('acme/app');
  await world.settle();
  await world.use.hello(pod('a'), hello([run(2)]));
  ack('a', { version: 3, ageMs: 200 });
  ack('b', { version: 3, state: 'rejected', reason: 'no' });
  await world.pass(5_000);
  expect(await ran(14_000)).toEqual(['a 2 applied', 'b 2 applied']);
  expect((await then(14_000)).published).toMatchObject({ version: 2 });
  expect(await ran(1_000)).toEqual(['a 3 applied', 'b 2 rejected']);
  const later = await then(1_000);
  expect(later.published).toMatchObject({ version: 3 });
  expect(later.items[1]).toMatchObject({ rejected: { version: 3, reason: 'no' } });
  expect(await ran(5_100)).toEqual(['a 3 applied', 'b 2 applied']);
});

it('tells who was not there yet, who had left, and who had fallen silent', async () => {
  await world.use.hello(pod('a'), hello([run(2)]));
  await world.pass(10_000);
  await world.use.hello(pod('b'), hello([run(2)]));
  await world.use.hello(pod('c'), hello([run(0)]));
  await world.pass(10_000);
  await world.use.hello(pod('b'), hello([run(2)], { leaving: true }));
  await world.use.hello(pod('c'), hello([]));
  await world.pass(10_000);
  expect(await ran(25_000)).toEqual(['a 2 applied']);
  expect(await ran(25_000, { consumerId: 'b' })).toEqual([]);
  expect(await ran(15_000)).toEqual(['a 2 applied', 'b 2 applied', 'c 0 lagging']);
  expect(await ran(5_000)).toEqual(['a 2 stale']);
  expect(await ran(5_000, { consumerId: 'b' })).toEqual(['b 2 left']);
  expect(await ran(5_000, { state: 'left' })).toEqual(['b 2 left', 'c 0 left']);
  await world.use.hello(pod('a'), hello([run(2)]));
  await world.pass(2_000);
  expect(await ran(7_000)).toEqual(['a 2 applied']);
});

it('pages through those that are asked for', async () => {
  for (const id of ['a', 'b', 'c', 'd']) await world.use.hello(pod(id), hello([run(2)]));
  await world.use.hello(pod('b'), hello([run(2)], { leaving: true }));
  await world.pass(2_000);
  const first = await then(0, { limit: 2 });
  expect(first.items.map(({ consumerId }) => consumerId)).toEqual(['a', 'c']);
  const second = await then(0, { limit: 2, cursor: first.next ?? '' });
  expect(second).toMatchObject({ items: [{ consumerId: 'd' }] });
  expect(second).not.toHaveProperty('next');
});

it('says of what time it knows nothing', async () => {
  const refusal = async (asked: Asked) => {
    const query = { limit: 1, ...asked } as PastQuery;
    const outcome = await world.use.consumersThen(APP, query);
    return outcome.ok ? 'ok' : outcome.problem;
  };
  const week = 7 * 24 * 3_600_000;
  expect(await refusal({ withinMs: week })).toBe('ok');
  const detail = expect.stringMatching(/is known since .*: ask for a later time/) as string;
  expect(await refusal({ withinMs: week + 1 })).toMatchObject({ code: 'not-found', detail });
  expect(await refusal({ at: '2999-01-01T00:00:00Z' })).toMatchObject({
    code: 'malformed-request',
  });
  expect(await refusal({ withinMs: 0, cursor: 'x' })).toMatchObject({ code: 'malformed-request' });
  const unknown = await world.use.consumersThen(address('acme/no'), { limit: 1, withinMs: 0 });
  expect(unknown).toMatchObject({ ok: false, problem: { code: 'not-found' } });
});

it('keeps what could not be saved at once, and writes nothing anew under the next owner', async () => {
  const save = world.status.saveRuns.bind(world.status);
  world.status.saveRuns = () => Promise.reject(new Error('away'));
  await world.use.hello(pod('a'), hello([run(0)]));
  ack('a', { version: 2 });
  await world.pass(3_000);
  expect(world.status.runs).toEqual([]);
  world.status.saveRuns = save;
  await world.use.hello(pod('a'), hello([run(2)]));
  await world.pass(2_000);
  const saved = world.status.runs;
  expect(saved.map(({ version }) => version)).toEqual([0, 2]);
  await world.restart();
  await world.use.hello(pod('a'), hello([run(2)]));
  await world.pass(2_000);
  expect(world.status.runs).toEqual(saved);
  expect(await ran(3_000)).toEqual(['a 2 applied']);
});

it('writes, once, what an earlier build saved without it', async () => {
  await world.use.hello(pod('a'), hello([run(2)]));
  await world.pass(2_000);
  const [expected] = world.status.runs;
  const { status } = world;
  const fence = { shard: shardOf('acme', 4), token: world.token };
  const [record] = await status.load(fence);
  const runs = record?.runs.map(({ noted: _, ...stored }) => stored) ?? [];
  if (record !== undefined) await status.save(fence, [{ ...record, runs }]);
  status.forgetRuns();
  for (const _ of [1, 2]) {
    await world.restart();
    await world.pass(2_000);
    expect(status.runs).toEqual([{ ...expected, hash: null }]);
  }
});
