import { address } from '@pawl/contracts';
import type { Ack, ReleaseItem, ReleaseSummary } from '@pawl/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const HOUR_MS = 3_600_000;
const SLOW = {
  stages: [{ count: 1, bakeMs: HOUR_MS }, { percent: 100 }],
  gates: [],
  preflight: false,
};
const [SHOP, MAIL] = ['acme/prod/shop', 'acme/prod/mail'];

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
});

/** Version 2 in stages over version 1. */
async function begin(at: string): Promise<string> {
  for (const x of [1, 2]) {
    await world.put(at, { x }, { kind: x === 1 ? 'none-given' : 'match-any' });
    if (x === 1) await world.promote(at);
  }
  const outcome = await world.release(at, { action: 'promote', strategy: SLOW });
  await world.settle();
  return (outcome.ok && outcome.value.body.staged?.id) || '';
}

async function items(query: object = {}): Promise<readonly ReleaseItem[]> {
  const page = await world.use.listReleases({ limit: 10, ...query });
  if (!page.ok) throw new Error(page.problem.code);
  return page.value.items;
}

describe('the releases under way', () => {
  it('are listed over all roots, by address and state, until they end', async () => {
    expect(await items()).toEqual([]);
    const ids = [];
    for (const at of ['zoo', 'acme/prod', 'acme:limits']) ids.push(await begin(at));
    await world.release('acme:limits', { action: 'pause', reason: 'wait for ann' });
    expect(await items()).toEqual([
      {
        ...{ id: ids[1], address: 'acme/prod', state: 'rolling', strategy: 'inline' },
        ...{ candidate: 2, stableVersion: 1, stage: 0, stages: 2, releaseVersion: 2 },
        ...{ begunAt: '2026-01-01T00:00:00.000Z', begunBy: 'anonymous' },
      },
      expect.objectContaining({ id: ids[2], state: 'paused', reason: 'wait for ann' }),
      expect.objectContaining({ id: ids[0], address: 'zoo' }),
    ]);
    expect(await items({ state: 'paused' })).toMatchObject([{ address: 'acme:limits' }]);
    const first = await world.use.listReleases({ limit: 2 });
    expect(first).toMatchObject({ value: { next: 'acme:limits' } });
    const rest = await world.use.listReleases({ limit: 2, cursor: 'acme:limits' });
    expect(rest).toEqual({ ok: true, value: { items: [expect.objectContaining({ id: ids[0] })] } });
    await world.release('zoo', { action: 'abort' });
    expect((await items()).map(({ address: at }) => at)).toEqual(['acme/prod', 'acme:limits']);
  });

  it('refuse a cursor that nobody gave out, and say that PostgreSQL is down', async () => {
    const outcome = await world.use.listReleases({ limit: 1, cursor: 'A B' });
    expect(code(outcome)).toBe('malformed-request');
    const down = new TruthUnavailableError('down');
    vi.spyOn(world.truth, 'readReleases').mockRejectedValue(down);
    expect(code(await world.use.listReleases({ limit: 1 }))).toBe('truth-unavailable');
    expect(code(await world.use.findRelease('r1'))).toBe('truth-unavailable');
  });
});

describe('a release that is summed up', () => {
  const labels = {};

  /** A live instance that runs what is stable, until it says otherwise. */
  async function join(at: string, workload: string, number: number): Promise<void> {
    const ref = { root: 'acme', workload, consumerId: `${workload}-${number}` };
    const runs = [{ address: at, generation: 0, version: 0 }];
    await world.use.hello(ref, { format: 1, incarnation: 'i1', labels, runs: runs });
  }

  /** What the candidates of a workload say of the release. */
  async function answer(at: string, workload: string, reason?: string): Promise<void> {
    const { generation, version, hash, releases } = await world.published(at);
    const names = releases.flatMap(({ stages }) => stages.flatMap(({ named = [] }) => named));
    const page = await world.use.listConsumers(address(at), { limit: 100 });
    const consumers = page.ok ? page.value.items : [];
    for (const one of consumers.filter((each) => each.workload === workload)) {
      if (!names.includes(`${workload}/${one.slot}`)) continue;
      const ref = { root: 'acme', workload, consumerId: one.consumerId };
      const state = reason === undefined ? 'applied' : 'rejected';
      const item = { address: at, generation, version, hash, state, cohort: releases[0]?.id };
      const items = [{ ...item, ageMs: 0, ...(reason === undefined ? {} : { reason }) }];
      world.use.ack(ref, { format: 1, incarnation: 'i1', items } as unknown as Ack);
    }
  }

  async function sumUp(id: string): Promise<ReleaseSummary> {
    const found = await world.use.findRelease(id);
    if (!found.ok) throw new Error(found.problem.code);
    const outcome = await world.use.sumUpRelease(found.value, id);
    if (!outcome.ok) throw new Error(outcome.problem.code);
    return outcome.value;
  }

  it('counts what it has reached, by address and workload, trouble first', async () => {
    for (const at of [MAIL, SHOP, 'acme/prod/idle']) await world.put(at, {});
    for (const number of [1, 2, 3]) await join(SHOP, 'shop', number);
    for (const number of [1, 2]) await join(MAIL, 'mail', number);
    await join(MAIL, 'web', 1);
    const id = await begin('acme/prod');
    await answer(SHOP, 'shop', 'too high');
    await answer(MAIL, 'mail');
    const none = { live: 0, applied: 0, rejected: 0, lagging: 0, lost: 0 };
    const [rejecting, applied] = [
      { ...none, live: 1, rejected: 1 },
      { ...none, live: 1, applied: 1 },
    ];
    expect(await sumUp(id)).toEqual({
      ...(await items())[0],
      candidates: { ...none, live: 3, applied: 1, rejected: 1, lagging: 1 },
      addresses: [
        { address: SHOP, candidates: rejecting },
        { address: MAIL, candidates: { ...applied, live: 2, lagging: 1 } },
        { address: 'acme/prod', candidates: none },
        { address: 'acme/prod/idle', candidates: none },
      ],
      byWorkload: [
        { workload: 'shop', ...rejecting },
        { workload: 'web', ...none, live: 1, lagging: 1 },
        { workload: 'mail', ...applied },
      ],
      rejections: [{ reason: 'too high', count: 1 }],
      bakeLeftMs: HOUR_MS,
      reason: expect.any(String) as string,
    });
    // Who fell silent since it began, and was not replaced, is lost.
    for (let passedMs = 0; passedMs < 20_000; passedMs += 5_000) {
      await world.pass(5_000);
      await join(MAIL, 'web', 1);
    }
    const { candidates, byWorkload } = await sumUp(id);
    expect(candidates).toEqual({ ...none, live: 1, lagging: 1, lost: 2 });
    expect(byWorkload).toEqual([
      { workload: 'mail', ...none, lost: 1 },
      { workload: 'shop', ...none, lost: 1 },
      { workload: 'web', ...none, live: 1, lagging: 1 },
    ]);
  });

  it('lists at most a thousand addresses, and says that there are more', async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `acme/prod/a${index}`);
    for (const at of names.slice(1)) await world.put(at, {});
    const id = await begin('acme/prod');
    expect(await sumUp(id)).not.toHaveProperty('more');
    await world.put(names[0] ?? '', {});
    const { addresses, more } = await sumUp(id);
    expect([addresses.length, more]).toEqual([1_000, true]);
  });

  it('is not under way once it has ended, and says where to look', async () => {
    const id = await begin('acme/prod');
    await world.release('acme/prod', { action: 'pause', reason: 'wait' });
    expect(await sumUp(id)).toMatchObject({ state: 'paused', reason: 'wait' });
    await world.release('acme/prod', { action: 'abort' });
    const gone = await world.use.findRelease(id);
    expect(gone).toMatchObject({ problem: { code: 'unknown-release' } });
    expect(gone).toEqual(await world.use.sumUpRelease(address('acme/prod'), id));
    expect(gone).toEqual(await world.use.sumUpRelease(address('acme/none'), id));
    expect(!gone.ok && gone.problem.detail).toContain('/v1/changes');
    const other = await begin('acme/prod/x');
    expect(code(await world.use.sumUpRelease(address('acme/prod'), other))).toBe('unknown-release');
  });
});

describe('what changed', () => {
  it('is told since a time, or for how long, whichever is later', async () => {
    const startMs = world.time.wallMs();
    await world.put('acme', { x: 1 });
    world.time.advance(HOUR_MS);
    await world.promote('acme');
    await world.put('zoo', {});
    const kinds = async (query: object): Promise<unknown> => {
      const page = await world.use.listAudit({ limit: 10, ...query });
      return page.ok && page.value.items.map(({ address: at, kind }) => `${at} ${kind}`);
    };
    const recent = ['zoo definition', 'acme release'];
    expect(await kinds({})).toEqual([...recent, 'acme definition']);
    expect(await kinds({ withinMs: HOUR_MS })).toEqual([...recent, 'acme definition']);
    expect(await kinds({ withinMs: HOUR_MS - 1 })).toEqual(recent);
    const since = '2026-01-01T01:30:00.001+01:30';
    expect(Date.parse(since)).toBe(startMs + 1);
    expect(await kinds({ since })).toEqual(recent);
    expect(await kinds({ since, withinMs: 2 * HOUR_MS })).toEqual(recent);
    const page = await world.use.listAudit({ limit: 1, since });
    expect(page).toMatchObject({ value: { items: [{ address: 'zoo' }] } });
    const cursor = page.ok ? page.value.next : undefined;
    expect(await kinds({ since, cursor })).toEqual(['acme release']);
  });
});
