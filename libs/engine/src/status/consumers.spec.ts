import { address } from '@pawl/contracts';
import type { Hello } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
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

  it('are given the slot that they had from an owner that nobody knows of, where it is free', async () => {
    const slotOf = async (consumerId: string, slot: number) =>
      (await world.use.hello({ ...pod, consumerId }, hello(2, { slot })))?.slot;
    expect([await slotOf('a', 7), await slotOf('b', 7), await slotOf('c', 0)]).toEqual([7, 0, 1]);
    expect([await slotOf('d', 999_999), await slotOf('a', 3)]).toEqual([2, 7]);
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

  it('that were live when the owner went down have three heartbeats to be heard again', async () => {
    const others = ['silent', 'gone'].map((consumerId) => ({ ...pod, consumerId }));
    await world.use.hello(others[0]!, hello(2));
    await world.pass(20_000);
    await world.use.hello(others[1]!, hello(2, { leaving: true }));
    await world.use.hello(pod, hello(2));
    await world.pass(1_100);
    await world.engine.stop();
    world.time.advance(3_600_000);
    await world.restart();
    const live = async () => {
      const list = await world.use.listConsumers(address('acme/app'), { limit: 10 });
      const items = list.ok ? list.value.items : [];
      return items.filter(({ state }) => state !== 'stale').map(({ consumerId }) => consumerId);
    };
    await world.pass(14_900);
    expect(await live()).toEqual(['pod-1']);
    expect((await rollout()).consumers).toMatchObject({ live: 1, applied: 1 });
    await world.pass(200);
    expect(await live()).toEqual([]);
  });

  it('make the owner publish again when they show that JetStream is behind', async () => {
    const before = await world.published('acme/app');
    world.publisher.snapshots.delete(address('acme/app').text);
    await world.use.hello(pod, hello(before.version + 1));
    expect(await world.published('acme/app')).toMatchObject({ version: before.version });
  });
});
