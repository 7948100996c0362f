import { address } from '@pawl/contracts';
import type { Hello, RolloutView } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../create-engine.js';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const APP = address('acme/app');
const ALL = { limit: 10 };
const pod = (consumerId: string) => ({ root: 'acme', workload: 'checkout', consumerId });
const hello = (version: number): Hello => ({
  format: 1,
  incarnation: 'i1',
  labels: { region: 'eu' },
  build: '1.2',
  runs: [{ address: 'acme/app', generation: 1, version }],
});

let world: EngineWorld;
let other: Engine;

/** An owner whose consumers have said what they run, and another node beside it. */
beforeEach(async () => {
  world = await claimedWorld();
  other = world.otherEngine();
  await world.put('acme/app', { a: 1 });
  await world.promote('acme/app');
  await world.settle();
  await world.use.hello(pod('pod-1'), hello(2));
  await world.use.hello(pod('pod-2'), hello(1));
  await world.pass(2_000);
});

async function rollout(from: Engine['saved']): Promise<RolloutView> {
  const view = await from.getRollout(APP);
  if (!view.ok) throw new Error(view.problem.code);
  return view.value;
}

describe('status while the owner does not answer', () => {
  it('is what the owner told a second ago, on a node that owns nothing, and says how old it is', async () => {
    const [told, listed] = [await rollout(world.use), await world.use.listConsumers(APP, ALL)];
    const { asOf, ...saved } = await rollout(other.saved);
    expect(saved).toEqual(told);
    expect(told).toMatchObject({ consumers: { live: 2, applied: 1, lagging: 1 } });
    expect(Date.parse(asOf ?? '')).toBe(world.time.wallMs() - 2_000);
    const page = await other.saved.listConsumers(APP, ALL);
    expect(page).toMatchObject(listed);
    expect(page).toMatchObject({ value: { items: [{ slot: 0 }, { slot: 1 }], asOf } });
    const lagging = await other.saved.listConsumers(APP, { limit: 1, state: 'lagging' });
    expect(lagging).toMatchObject({ value: { items: [{ consumerId: 'pod-2' }] } });
  });

  it('is what the next owner begins with', async () => {
    const { asOf: _, ...saved } = await rollout(other.saved);
    await world.restart();
    expect(await rollout(world.use)).toEqual(saved);
    await world.use.hello(pod('pod-2'), hello(2));
    expect(await rollout(world.use)).toMatchObject({ consumers: { applied: 2 }, converged: true });
  });

  it('has never converged, as more may be committed, and knows of nothing that was not published', async () => {
    await world.use.hello(pod('pod-2'), hello(2));
    await world.pass(2_000);
    expect(await rollout(world.use)).toMatchObject({ converged: true });
    const saved = await rollout(other.saved);
    expect(saved).toMatchObject({ consumers: { live: 2, applied: 2 }, converged: false });
    world.publisher.up = false;
    await world.over('acme/app', { a: 2 });
    await world.promote('acme/app');
    await world.pass(1_000);
    expect(await rollout(other.saved)).toMatchObject({ published: null });
  });

  it('is read once for all who ask about a root within half a second', async () => {
    await world.put('acme/other', { a: 1 });
    await world.settle();
    let reads = 0;
    const load = world.status.load.bind(world.status);
    world.status.load = (fence) => {
      reads += 1;
      return load(fence);
    };
    for (let asked = 0; asked < 5; asked += 1) {
      await rollout(other.saved);
      await other.saved.getRollout(address('acme/other'));
    }
    expect(reads).toBe(1);
    await world.pass(600);
    await rollout(other.saved);
    expect(reads).toBe(2);
  });

  it('is refused where nothing is known, and where PostgreSQL does not answer either', async () => {
    expect(code(await other.saved.getRollout(address('acme/none')))).toBe('not-found');
    world.truth.beforeFences = () => Promise.reject(new TruthUnavailableError('down'));
    expect(code(await other.saved.getRollout(APP))).toBe('truth-unavailable');
    expect(code(await other.saved.listConsumers(APP, ALL))).toBe('truth-unavailable');
  });
});
