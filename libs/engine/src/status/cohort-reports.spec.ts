import type { AckItem, Hello, HelloRun, SnapshotRelease } from '@pawl/contracts';
import { address } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { STAGES } from '../testing/staged-world.fixture.js';

const AT = 'acme/app';
const pod = { root: 'acme', workload: 'checkout', consumerId: 'pod-1' };

let world: EngineWorld;
/** Of the release in stages, which has reached the only consumer there is. */
let id: string;
let version: number;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put(AT, { a: 1 });
  await world.promote(AT);
  await hello({ generation: 0, version: 0 });
  await world.over(AT, { a: 2 });
  await world.begin(AT, STAGES);
  const snapshot = await world.published(AT);
  ({ version } = snapshot);
  id = (snapshot.releases[0] as SnapshotRelease).id;
});

async function hello(run: Omit<HelloRun, 'address'>, more: Partial<Hello> = {}): Promise<void> {
  const runs = [{ address: AT, ...run }];
  await world.use.hello(pod, { format: 1, incarnation: 'i1', labels: {}, runs, ...more });
  await world.settle();
}

function ack(state: AckItem['state'], cohort: string, of = version): void {
  const item: AckItem = { address: AT, generation: 1, version: of, state, ageMs: 0 };
  const items = [
    {
      ...item,
      ...(cohort === '' ? {} : { cohort }),
      ...(state === 'rejected' && { reason: 'no' }),
    },
  ];
  world.use.ack(pod, { format: 1, incarnation: 'i1', items });
}

async function view() {
  const list = await world.use.listConsumers(address(AT), { limit: 10 });
  if (!list.ok) throw new Error(list.problem.code);
  const [{ state, cohort, version: runs, reason } = {}] = list.value.items;
  return { state, cohort, version: runs, reason };
}

describe('a consumer that is a candidate', () => {
  it('has applied it only as one', async () => {
    expect(await view()).toMatchObject({ state: 'lagging' });
    ack('applied', '');
    expect(await view()).toMatchObject({ state: 'lagging', version });
    expect(await world.rollout(AT)).toMatchObject({ consumers: { applied: 0 }, converged: false });
    ack('applied', id);
    expect(await view()).toEqual({ state: 'applied', cohort: id, version, reason: undefined });
    expect(await world.rollout(AT)).toMatchObject({ consumers: { applied: 1 }, converged: true });
  });

  it('has it applied no more when its slot or its labels make it none', async () => {
    await world.release(AT, { action: 'abort' });
    await world.over(AT, { a: 3 });
    const selector = { region: ['eu'] };
    await hello({ generation: 1, version: 1 }, { labels: { region: 'eu' } });
    const stages = [{ percent: 50, selector, bakeMs: 3_600_000 }, { percent: 100 }];
    await world.begin(AT, { stages, gates: [] });
    const { releases, version: next } = await world.published(AT);
    ack('applied', releases[0]?.id ?? '', next);
    expect(await view()).toMatchObject({ state: 'applied' });
    const run = { generation: 1, version: next, cohort: releases[0]?.id ?? '' };
    await hello(run, { labels: { region: 'us' } });
    expect(await view()).toMatchObject({ state: 'lagging' });
    ack('applied', '', next);
    expect(await view()).toMatchObject({ state: 'applied' });
  });

  it('rejects it as one, while it runs the same version as another', async () => {
    ack('applied', '');
    ack('rejected', id);
    expect(await view()).toMatchObject({ state: 'rejected', version, reason: 'no' });
    const [release] = (await world.rollout(AT)).releases ?? [];
    expect(release?.candidates).toMatchObject({ live: 1, rejected: 1, applied: 0 });
    ack('applied', id);
    expect(await view()).toMatchObject({ state: 'applied', reason: undefined });
  });

  it('that rejected it as another has not answered yet', async () => {
    ack('rejected', '');
    expect(await view()).toMatchObject({ state: 'lagging' });
    ack('rejected', id);
    expect(await view()).toMatchObject({ state: 'rejected' });
  });

  it('is taken at its word where only a heartbeat tells of its rejection', async () => {
    const rejected = { generation: 1, version, reason: 'no' };
    await hello({ generation: 1, version: 2, rejected });
    expect(await view()).toMatchObject({ state: 'rejected', version: 2 });
    ack('applied', id);
    expect(await view()).toMatchObject({ state: 'applied' });
  });

  it('keeps the cohort that it was known to run as in a heartbeat without room for it', async () => {
    ack('applied', id);
    await hello({ generation: 1, version });
    expect(await view()).toMatchObject({ state: 'applied', cohort: id });
    await world.release(AT, { action: 'advance' });
    const { version: next } = await world.published(AT);
    await hello({ generation: 1, version: next });
    expect(await view()).toMatchObject({ state: 'lagging', cohort: undefined });
    ack('applied', id, next);
    expect(await view()).toMatchObject({ state: 'applied', cohort: id });
  });

  it('is shown as it reported after a restart', async () => {
    ack('applied', id);
    await world.pass(1_100);
    await world.restart();
    expect(await view()).toMatchObject({ state: 'applied', cohort: id });
    await world.release(AT, { action: 'abort' });
    await world.settle();
    expect(await view()).toMatchObject({ state: 'lagging', cohort: id });
  });

  it.each(['the cohort', 'a heartbeat'])(
    'is shown as having rejected it after a restart, as %s said',
    async (by) => {
      ack('applied', '');
      const rejected = { generation: 1, version, reason: 'no' };
      if (by === 'the cohort') ack('rejected', id);
      else await hello({ generation: 1, version, rejected });
      expect(await view()).toMatchObject({ state: 'rejected' });
      await world.pass(1_100);
      await world.restart();
      expect(await view()).toMatchObject({ state: 'rejected', reason: 'no' });
    },
  );

  it('that rejected it as another before a restart has not answered after it', async () => {
    ack('rejected', '');
    await world.pass(1_100);
    await world.restart();
    expect(await view()).toMatchObject({ state: 'lagging' });
  });

  it('tells nothing new in a report of before', async () => {
    ack('applied', id);
    ack('rejected', id, version - 1);
    ack('applied', '', version - 1);
    expect(await view()).toEqual({ state: 'applied', cohort: id, version, reason: undefined });
  });
});
