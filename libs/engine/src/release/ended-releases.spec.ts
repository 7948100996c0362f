import type { EndedRelease, EndedReleaseSummary, HistoryItem } from '@pawl/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import { code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { HOUR_MS, STAGES, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';
import { tellRelease } from './ended-releases.js';

const AT = 'acme/app';
const BEGAN = '2026-01-01T00:00:00.000Z';

let staged: StagedWorld;
let world: EngineWorld;
beforeEach(async () => {
  staged = await stagedWorld();
  ({ world } = staged);
  await staged.promoted(AT, { a: 1 });
});

const begin = (strategy = STAGES): Promise<string> => staged.begun(AT, { a: 2 }, strategy);

async function ended(query: object = {}): Promise<readonly EndedRelease[]> {
  const page = await world.use.listEndedReleases({ limit: 10, ...query });
  if (!page.ok) throw new Error(page.problem.code);
  return page.value.items;
}

async function story(id: string): Promise<EndedReleaseSummary> {
  const outcome = await tellRelease(world.use, id);
  if (!outcome.ok) throw new Error(outcome.problem.code);
  if (outcome.value.state !== 'ended') throw new Error(`it is ${outcome.value.state}`);
  return outcome.value;
}

const actions = (lines: readonly HistoryItem[]): unknown =>
  lines.map(({ action, releaseId }) => `${action} ${releaseId}`);

describe('a release that has ended', () => {
  it('is told with its end, its reason, and what was done of it in order', async () => {
    const id = await begin();
    await world.pass(1_000);
    await staged.act(AT, 'advance');
    await staged.act(AT, 'pause', { reason: 'wait' });
    await staged.act(AT, 'resume');
    await staged.act(AT, 'hold', { workloads: { checkout: 'sick' } });
    await staged.act(AT, 'block', { targetVersion: 1 });
    await world.pass(1_000);
    const [, underWay] = await Promise.all([ended(), tellRelease(world.use, id)]);
    expect(underWay).toMatchObject({ value: { state: 'rolling', begunAt: BEGAN } });
    await staged.act(AT, 'abort', { reason: '3 of 4 reject' });
    const item: EndedRelease = {
      ...{ id, address: AT, state: 'ended', outcome: 'aborted', strategy: 'inline' },
      ...{ candidate: 2, stableVersion: 1, stage: 1, stages: 3, releaseVersion: 7 },
      ...{ begunAt: BEGAN, begunBy: 'anonymous', endedBy: 'anonymous' },
      ...{ endedAt: '2026-01-01T00:00:02.000Z', reason: '3 of 4 reject' },
    };
    expect(await ended()).toEqual([item]);
    const { transitions, ...told } = await story(id);
    expect(told).toEqual(item);
    const done = ['promote', 'advance', 'pause', 'resume', 'hold', 'abort'];
    expect(actions(transitions)).toEqual(done.map((action) => `${action} ${id}`));
    expect(transitions[0]).not.toHaveProperty('address');
    const [last] = await world.history(AT);
    expect(last).toEqual({ address: AT, ...transitions.at(-1) });
  });

  it.each([
    ['abort', {}, 'aborted', 1],
    ['rollback', {}, 'rolled-back', 1],
    ['disable', {}, 'disabled', 1],
    ['block', { targetVersion: 2 }, 'blocked', 1],
    ['promote', { strategy: 'all-at-once' }, 'superseded', 2],
  ])('with %s %j was %s', async (action, more, outcome, lines) => {
    const id = await begin();
    expect(await staged.act(AT, action, { ...more, reason: 'it is time' })).toBe('ok');
    expect(await ended()).toMatchObject([{ id, outcome, stage: 0, endedBy: 'anonymous' }]);
    const { transitions } = await story(id);
    expect(transitions).toHaveLength(2);
    const told = await world.history(AT, lines);
    expect(told.at(-1)).toEqual({ address: AT, ...transitions.at(-1) });
    expect(await ended()).toEqual([expect.objectContaining({ candidate: 2, stableVersion: 1 })]);
  });

  it('was completed once everybody has it, and says so in its last line', async () => {
    const id = await begin();
    for (let stage = 1; stage <= 3; stage += 1) await staged.act(AT, 'advance');
    const end = { outcome: 'completed', candidate: 2, stableVersion: 1, stage: 2 };
    expect(await ended()).toMatchObject([{ id, ...end }]);
    const [line] = await world.history(AT);
    expect(line).toMatchObject({ releaseId: id, ended: end, message: 'inline: complete' });
  });

  it('was superseded by another in stages, which is told apart from it', async () => {
    const id = await begin();
    await world.over(AT, { a: 3 });
    const promote = { strategy: STAGES, conflict: 'supersede', reason: 'a fix' };
    expect(await staged.act(AT, 'promote', promote)).toBe('ok');
    const { staged: other } = await world.releaseOf(AT);
    const reason = 'superseded by the promote of version 3: a fix';
    const [newest, before] = await world.history(AT, 2);
    expect([newest?.action, newest?.releaseId, newest?.ended]).toEqual([
      'promote',
      other?.id,
      undefined,
    ]);
    expect(before).toMatchObject({ action: 'abort', version: 2, releaseId: id, reason });
    expect(before?.releaseVersion).toBe(newest?.releaseVersion);
    expect(await ended()).toMatchObject([{ id, outcome: 'superseded', reason }]);
    expect(actions((await story(id)).transitions)).toEqual([`promote ${id}`, `abort ${id}`]);
  });

  it('was aborted with a rollback above it that it does not fit, or pre-empted from there', async () => {
    await staged.promoted('acme', { b: 1 });
    const first = await begin();
    await world.over('acme', { b: 2 });
    const preempt = { preempt: [AT], reason: 'incident 7' };
    expect(await staged.act('acme', 'promote', preempt)).toBe('ok');
    const reason = 'pre-empted by the promote of acme: incident 7';
    expect(await ended()).toMatchObject([{ id: first, outcome: 'pre-empted', reason }]);
    const second = await staged.begun(AT, { a: 3 });
    const forced = { targetVersion: 1, force: true, reason: 'incident 7' };
    await world.putSchema(AT, { properties: { b: { minimum: 2 } } }, { kind: 'match-any' });
    await staged.act(AT, 'abort');
    expect(await world.promote(AT)).toMatchObject({ ok: true });
    const third = await staged.begun(AT, { a: 4 });
    expect(await staged.act('acme', 'rollback', forced)).toBe('ok');
    expect(await ended({ limit: 2 })).toMatchObject([
      { id: third, outcome: 'aborted', reason: 'dropped by the rollback of acme' },
      { id: second, outcome: 'aborted' },
    ]);
  });

  it('has expired where it was paused for too long, and only then', async () => {
    const id = await begin({ ...(STAGES as object), expireMs: 60_000 });
    await staged.act(AT, 'pause');
    await world.pass(1_000);
    world.time.suspend(60_000);
    await world.pass(1_000);
    const [item] = await ended();
    expect(item).toMatchObject({ id, outcome: 'expired', endedBy: 'pawl', stage: 0 });
    expect(item?.reason).toContain('it may be for 60 s');
  });

  it('tells no stage where it ended in its preflight', async () => {
    const id = await begin({ preset: 'canary', preflight: true });
    await staged.act(AT, 'abort');
    const [item] = await ended();
    expect([item?.id, item?.stages, item !== undefined && 'stage' in item]).toEqual([id, 3, false]);
  });

  it('is told by the id that it had while it was queued, from when it began', async () => {
    const first = await begin();
    await world.over(AT, { a: 3 });
    const later = { strategy: { ...(STAGES as object) }, conflict: 'queue' };
    expect(await staged.act(AT, 'promote', later)).toBe('ok');
    const { queued } = await world.releaseOf(AT);
    expect((await world.history(AT))[0]).not.toHaveProperty('releaseId');
    for (let stage = 1; stage <= 3; stage += 1) await staged.act(AT, 'advance');
    await world.pass(2_000);
    await staged.act(AT, 'rollback');
    expect((await ended()).map(({ id }) => id)).toEqual([queued?.id, first]);
    const { transitions } = await story(queued?.id ?? '');
    expect(actions(transitions)).toEqual([`promote ${queued?.id}`, `rollback ${queued?.id}`]);
  });
});

describe('releases that have ended', () => {
  it('are listed over all roots, the last first, since a time, and page by page', async () => {
    const ids: string[] = [];
    for (const at of [AT, 'zoo', 'acme/shop']) {
      await staged.promoted(at, { a: 5 });
      ids.push(await staged.begun(at, { a: 6 }));
      world.time.advance(HOUR_MS);
      await staged.act(at, 'abort');
    }
    const found = async (query: object): Promise<unknown> =>
      (await ended(query)).map(({ id }) => ids.indexOf(id));
    expect(await found({})).toEqual([2, 1, 0]);
    expect(await found({ withinMs: HOUR_MS })).toEqual([2, 1]);
    expect(await found({ since: '2026-01-01T03:00:00.000Z' })).toEqual([2]);
    const first = await world.use.listEndedReleases({ limit: 2 });
    const cursor = first.ok ? first.value.next : undefined;
    expect(await found({ limit: 2, cursor })).toEqual([0]);
    expect(code(await world.use.listEndedReleases({ limit: 2, cursor: 'acme' }))).toBe(
      'malformed-request',
    );
    const other = world.otherEngine();
    expect(await other.use.listEndedReleases({ limit: 2 })).toEqual(first);
    expect(await tellRelease(other.use, ids[1] ?? '')).toMatchObject({ value: { address: 'zoo' } });
    await other.stop();
  });

  it('are unknown where there never was one of the id, or the history says nothing of its end', async () => {
    expect(code(await tellRelease(world.use, 'r1'))).toBe('unknown-release');
    const id = await begin();
    expect(code(await world.use.endedRelease(id))).toBe('unknown-release');
  });

  it('are told where one ends between two looks, and refused where PostgreSQL is down', async () => {
    const id = await begin();
    const found = await world.use.findRelease(id);
    await staged.act(AT, 'abort');
    const late = { ...world.use, findRelease: () => Promise.resolve(found) };
    expect(await tellRelease(late, id)).toMatchObject({ value: { outcome: 'aborted' } });
    vi.spyOn(world.truth, 'readAudit').mockRejectedValue(new TruthUnavailableError('down'));
    expect(code(await tellRelease(world.use, id))).toBe('truth-unavailable');
    expect(code(await world.use.listEndedReleases({ limit: 1 }))).toBe('truth-unavailable');
  });

  it('are told with their last thousand transitions', async () => {
    const id = await begin();
    for (let each = 0; each < 500; each += 1) {
      await staged.act(AT, 'pause');
      await staged.act(AT, 'resume');
    }
    await staged.act(AT, 'abort');
    const { transitions, more, begunAt } = await story(id);
    expect([transitions.length, transitions[0]?.action, more]).toEqual([1_000, 'resume', true]);
    expect([transitions.at(-1)?.action, begunAt]).toEqual(['abort', BEGAN]);
  });
});

describe('a strategy of a release policy', () => {
  const CAREFUL = { strategies: { careful: STAGES } };
  const promote = { strategy: 'careful' };

  it('is told with the version of the policy that it is from', async () => {
    await staged.promoted('acme:release-policy', { demand: null });
    await staged.promoted('acme:release-policy', CAREFUL);
    await world.over(AT, { a: 2 });
    expect(await staged.act(AT, 'promote', promote)).toBe('ok');
    const policyVersion = { address: 'acme:release-policy', version: 2 };
    const { staged: begun } = await world.releaseOf(AT);
    const told = { strategy: 'careful', policyVersion };
    expect(begun).toMatchObject(told);
    expect((await world.rollout(AT)).releases).toMatchObject([told]);
    expect(await tellRelease(world.use, begun?.id ?? '')).toMatchObject({ value: told });
    expect(await world.history(AT)).toMatchObject([{ action: 'promote', policyVersion }]);
    // The same is asked for again, of a later version of the policy that says the same of it.
    await staged.promoted('acme:release-policy', { ...CAREFUL, demand: 'careful' });
    expect(await staged.act(AT, 'promote', promote)).toBe('ok');
    expect((await world.releaseOf(AT)).releaseVersion).toBe(2);
    await staged.act(AT, 'abort');
    expect(await ended()).toMatchObject([told]);
  });

  it('is of the lowest scope that says something of it', async () => {
    await staged.promoted('acme:release-policy', CAREFUL);
    await staged.promoted('acme/app:release-policy', { strategies: { other: 'canary' } });
    const policyOf = async (): Promise<unknown> => {
      await staged.begun(AT, { a: world.time.monotonicMs() }, { preset: 'canary' });
      await staged.act(AT, 'abort');
      expect(await staged.act(AT, 'promote', promote)).toBe('ok');
      const { staged: begun } = await world.releaseOf(AT);
      await staged.act(AT, 'abort');
      return begun?.policyVersion;
    };
    expect(await policyOf()).toEqual({ address: 'acme:release-policy', version: 1 });
    const own = { strategies: { careful: { expireMs: 60_000 } } };
    await staged.promoted('acme/app:release-policy', own);
    expect(await policyOf()).toEqual({ address: 'acme/app:release-policy', version: 2 });
    await world.release('acme/app:release-policy', { action: 'disable' });
    expect(await policyOf()).toEqual({ address: 'acme:release-policy', version: 1 });
  });

  it('is kept with what is queued, as it was then', async () => {
    await staged.promoted('acme:release-policy', CAREFUL);
    await begin();
    await world.over(AT, { a: 3 });
    const queue = { ...promote, conflict: 'queue' };
    expect(await staged.act(AT, 'promote', queue)).toBe('ok');
    await staged.promoted('acme:release-policy', { ...CAREFUL, frozen: null });
    expect(await staged.act(AT, 'promote', queue)).toBe('ok');
    for (let stage = 1; stage <= 3; stage += 1) await staged.act(AT, 'advance');
    await world.pass(2_000);
    const policyVersion = { address: 'acme:release-policy', version: 1 };
    expect((await world.releaseOf(AT)).staged).toMatchObject({ policyVersion });
    expect(await world.history(AT)).toMatchObject([{ action: 'promote', policyVersion }]);
  });

  it('is told of none that is a preset, or written out', async () => {
    await staged.promoted('acme:release-policy', CAREFUL);
    await begin();
    await staged.act(AT, 'abort');
    expect(await staged.act(AT, 'promote', { strategy: 'canary' })).toBe('ok');
    await staged.act(AT, 'abort');
    expect((await ended()).some((item) => 'policyVersion' in item)).toBe(false);
  });
});
