import { address, done } from '@pawl/contracts';
import type { Gate, ReleaseRequest } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { planTransition } from './plan-transition.js';
import { INITIAL_RELEASE } from './release-state.js';
import type { ReleaseState } from './release-state.js';
import { workloadsHeld } from './staged-release.js';
import type { StagedRelease } from './staged-release.js';

const staged: StagedRelease = {
  ...{ id: 'r7', candidateVersion: 6, strategy: 'inline', stage: 1, pausedFor: null, gates: [] },
  stages: [
    { count: 1, bakeMs: 0 },
    { percent: 50, bakeMs: 0 },
    { percent: 100, bakeMs: 0 },
  ],
};
const rolling: ReleaseState = {
  ...INITIAL_RELEASE,
  ...{ state: 'rolling', releaseVersion: 7, stableVersion: 3, contributionAt: 6, loweredAt: 4 },
  staged,
};
const paused: ReleaseState = {
  ...rolling,
  ...{ state: 'paused', staged: { ...staged, pausedFor: 'errors in eu' } },
};

function plan(state: ReleaseState, request: ReleaseRequest) {
  const at = { newestVersion: 9, address: address('acme/prod').text, releaseId: 'r8' };
  const asked = { by: 'ann', at: '2026-01-01T00:00:00.000Z', generation: 1 };
  return planTransition({ state, request, ...at, asked });
}

function nextOf(state: ReleaseState, request: ReleaseRequest): ReleaseState {
  const outcome = plan(state, request);
  if (!outcome.ok) throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
  expect(outcome.value.changed).toBe(true);
  return outcome.value.next;
}

const moved = { releaseVersion: 8 };
const lowered = { ...moved, contributionAt: 8, loweredAt: 8 };

describe('a release in stages: workloads that are held', () => {
  const hold = (...names: string[]): ReleaseRequest => ({
    action: 'hold',
    workloads: Object.fromEntries(names.map((name) => [name, `${name} is sick`])),
  });
  const held = nextOf(rolling, hold('cart'));

  it('go back to the stable version, each for the reason that it was held for first', () => {
    expect(held).toEqual({
      ...{ ...rolling, ...lowered },
      staged: { ...staged, held: { cart: 'cart is sick' } },
    });
    const both = nextOf(held, { action: 'hold', workloads: { cart: 'again', api: 'slow' } });
    expect(both.staged?.held).toEqual({ cart: 'cart is sick', api: 'slow' });
    expect(both.loweredAt).toBe(9);
    expect(workloadsHeld(both.staged!)).toEqual(['api', 'cart']);
    expect(plan(both, hold('cart'))).toEqual(done({ changed: false, next: both }));
  });

  it('stay so over stages and a pause, and are tried again when it is resumed', () => {
    for (const action of ['advance', 'skip', 'pause']) {
      expect(nextOf(held, { action }).staged?.held).toEqual({ cart: 'cart is sick' });
    }
    for (const state of [held, nextOf(held, { action: 'pause' })]) {
      const next = nextOf(state, { action: 'resume' });
      expect(next.staged).toEqual(staged);
      expect([next.state, next.contributionAt]).toEqual(['rolling', next.releaseVersion]);
      expect(next.loweredAt).toBe(held.loweredAt);
    }
    expect(nextOf(paused, { action: 'resume' }).contributionAt).toBe(paused.contributionAt);
  });

  it('are not more than a snapshot may name', () => {
    const names = Array.from({ length: 101 }, (_, at) => `w${at}`);
    const full = nextOf(rolling, hold(...names.slice(0, 100)));
    expect(plan(full, hold('w0')).ok).toBe(true);
    expect(plan(full, hold('w100'))).toMatchObject({
      problem: { code: 'invalid-transition' },
    });
  });

  it('are named by a hold, and by nothing else', () => {
    for (const request of [{ action: 'hold' }, { ...hold('cart'), action: 'pause' }]) {
      expect(plan(rolling, request)).toMatchObject({ problem: { code: 'malformed-request' } });
    }
  });
});

describe('a release in stages: approval', () => {
  const gated = (...gates: Gate[]): ReleaseState => ({ ...rolling, staged: { ...staged, gates } });
  const approve = { action: 'approve' };

  it('is of the stage that is reached, once', () => {
    const next = nextOf(gated({ kind: 'approval' }), approve);
    expect(next).toEqual({
      ...{ ...rolling, ...moved },
      staged: { ...staged, gates: [{ kind: 'approval' }], approved: 1 },
    });
    expect(plan(next, approve)).toEqual(done({ changed: false, next }));
    const later = nextOf(nextOf(next, { action: 'advance' }), approve);
    expect(later.staged).toMatchObject({ stage: 2, approved: 2 });
  });

  it('is refused for another stage than the one that is reached, by name', () => {
    const state = gated({ kind: 'approval' });
    expect(plan(state, { ...approve, stage: 1 }).ok).toBe(true);
    expect(plan(state, { ...approve, stage: 0 })).toMatchObject({
      problem: {
        code: 'invalid-transition',
        detail: expect.stringContaining('is at stage 2 of 3, not at stage 1 of 3') as unknown,
      },
    });
    expect(plan(state, { ...approve, stage: 8 })).toMatchObject({
      problem: {
        code: 'invalid-transition',
        detail: expect.stringMatching(
          /^the release of .* is at stage 2 of 3; it has 3 stages and no stage 9: look at it/,
        ) as unknown,
      },
    });
    expect(plan(state, { action: 'pause', stage: 1 })).toMatchObject({
      problem: { code: 'malformed-request' },
    });
  });

  it('is refused where nobody waits for it', () => {
    for (const state of [rolling, gated({ kind: 'approval', stages: [0, 2] })]) {
      expect(plan(state, approve)).toMatchObject({ problem: { code: 'invalid-transition' } });
    }
    expect(plan(gated({ kind: 'approval', stages: [1] }), approve).ok).toBe(true);
  });
});
