import { address } from '@pawl/contracts';
import type { Ack, Hello } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const pod = { root: 'acme', workload: 'checkout', consumerId: 'pod-1' };
const NONE = { p50: null, p95: null, p99: null, max: null };

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put('acme/app', { a: 0 });
});

let a = 0;
/** Publishes a next version. */
async function publish(): Promise<void> {
  await world.over('acme/app', { a: (a += 1) });
  await world.promote('acme/app');
  await world.settle();
}

async function hello(version: number, more: Partial<Hello> = {}): Promise<void> {
  const runs = [{ address: 'acme/app', generation: 1, version }];
  await world.use.hello(pod, { format: 1, incarnation: 'i1', labels: {}, runs, ...more });
}

/** The consumer applied what is published, this long ago. */
async function applies(ageMs: number, incarnation = 'i1'): Promise<void> {
  const { version } = await world.published('acme/app');
  const item = { address: 'acme/app', generation: 1, version, state: 'applied', ageMs };
  world.use.ack(pod, { format: 1, incarnation, items: [item] } as Ack);
}

async function propagation() {
  const view = await world.use.getRollout(address('acme/app'));
  if (!view.ok) throw new Error(view.problem.code);
  return view.value.propagationMs;
}

describe('the time from publication to application', () => {
  it('is measured where a consumer was live when it was published', async () => {
    await hello(0);
    await publish();
    world.time.advance(40);
    await applies(10);
    expect(await propagation()).toEqual({ p50: 30, p95: 30, p99: 30, max: 30 });
    expect(world.propagations).toEqual([30]);
  });

  it('says nothing of a consumer that came later, until the next publication', async () => {
    await publish();
    world.time.advance(498_000);
    await hello(0);
    await applies(0);
    expect(await propagation()).toEqual(NONE);
    expect(world.propagations).toEqual([null]);
    await publish();
    world.time.advance(7);
    await applies(0);
    expect(await propagation()).toMatchObject({ max: 7 });
  });

  it('says nothing of a process that was heard for the first time by its ack', async () => {
    await hello(0);
    await publish();
    world.time.advance(100);
    await applies(0, 'i2');
    expect(await propagation()).toEqual(NONE);
  });

  it('says nothing of one that was silent or gone when it was published', async () => {
    await hello(0);
    await world.pass(15_100);
    await publish();
    await world.pass(60_000);
    await hello(0);
    await applies(0);
    await hello(2, { leaving: true });
    world.time.advance(1);
    await publish();
    world.time.advance(50);
    await hello(2);
    await applies(0);
    expect(world.propagations).toEqual([null, null]);
  });

  it('is long for one that was cut off when it was published, and came back', async () => {
    await hello(0);
    await publish();
    await world.pass(60_000);
    await hello(0);
    await applies(0);
    expect(await propagation()).toMatchObject({ max: 60_000 });
  });

  it('is measured over a restart of the owner', async () => {
    await hello(0);
    await world.pass(1_100);
    await world.restart();
    await publish();
    world.time.advance(20);
    await applies(0);
    expect(await propagation()).toMatchObject({ max: 20 });
  });
});
