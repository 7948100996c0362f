import { address, RELEASE_ACTIONS } from '@pawl/contracts';
import type { ReleaseRequest } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { snapshotInput } from '../snapshot/snapshot-input.js';
import { planTransition } from './plan-transition.js';
import { INITIAL_RELEASE } from './release-state.js';
import type { ReleaseState } from './release-state.js';

const ADDRESS = address('acme/prod').text;
const NEWEST = 5;

const idle: ReleaseState = {
  ...INITIAL_RELEASE,
  releaseVersion: 7,
  stableVersion: 3,
  contributionAt: 6,
  loweredAt: 4,
  blockedVersions: [1, 5],
};
const disabled: ReleaseState = { ...idle, state: 'disabled', contributionAt: 7, loweredAt: 7 };

function plan(state: ReleaseState, request: ReleaseRequest, newestVersion = NEWEST) {
  return planTransition({
    ...{ state, newestVersion, request, address: ADDRESS, releaseId: 'r1' },
    asked: { by: 'ann', at: '2026-01-01T00:00:00.000Z', generation: 1 },
  });
}

function nextOf(state: ReleaseState, request: ReleaseRequest): ReleaseState {
  const outcome = plan(state, request);
  if (!outcome.ok) throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
  expect(outcome.value.changed).toBe(true);
  expect(outcome.value.next.releaseVersion).toBe(state.releaseVersion + 1);
  return outcome.value.next;
}

describe('planTransition: what changes', () => {
  it('promote makes the newest version stable, or the one told', () => {
    const first = { ...INITIAL_RELEASE, releaseVersion: 1, stableVersion: 5, contributionAt: 1 };
    expect(nextOf(INITIAL_RELEASE, { action: 'promote' })).toEqual(first);
    const request = { action: 'promote', targetVersion: 4, strategy: 'all-at-once' };
    expect(nextOf(idle, request)).toEqual({
      ...idle,
      releaseVersion: 8,
      stableVersion: 4,
      contributionAt: 8,
    });
  });

  it('rollback goes to a lower version and says so', () => {
    expect(nextOf(idle, { action: 'rollback', targetVersion: 2 })).toEqual({
      ...idle,
      releaseVersion: 8,
      stableVersion: 2,
      contributionAt: 8,
      loweredAt: 8,
    });
  });

  it('rollback of a disabled release leaves it disabled, and as it stands in snapshots', () => {
    const next = nextOf(disabled, { action: 'rollback', targetVersion: 2 });
    expect(next).toEqual({ ...disabled, releaseVersion: 8, stableVersion: 2 });
    expect(snapshotInput(ADDRESS, next)).toEqual(snapshotInput(ADDRESS, disabled));
  });

  it('a forced rollback is marked until the next promote or rollback', () => {
    const request = { action: 'rollback', targetVersion: 2, force: true, reason: 'outage 12' };
    const forced = nextOf(idle, request);
    expect(forced.forced).toBe(true);
    expect(nextOf(forced, { action: 'block', targetVersion: 4 }).forced).toBe(true);
    const away = nextOf(forced, { action: 'disable' });
    expect(away.forced).toBe(true);
    expect(nextOf(away, { action: 'enable' }).forced).toBe(true);
    expect(nextOf(forced, { action: 'promote', targetVersion: 3 }).forced).toBe(false);
    const unblocked = { ...forced, blockedVersions: [] };
    expect(nextOf(unblocked, { action: 'rollback', targetVersion: 1 }).forced).toBe(false);
  });

  it('disable takes the layer away and says so, enable brings it back', () => {
    const away = nextOf(idle, { action: 'disable' });
    expect(away).toEqual({
      ...idle,
      state: 'disabled',
      releaseVersion: 8,
      contributionAt: 8,
      loweredAt: 8,
    });
    expect(nextOf(away, { action: 'enable' })).toEqual({
      ...idle,
      releaseVersion: 9,
      contributionAt: 9,
      loweredAt: 8,
    });
  });

  it.each([idle, disabled])('block and unblock change nothing that is contributed', (state) => {
    expect(nextOf(state, { action: 'block', targetVersion: 2 })).toEqual({
      ...state,
      releaseVersion: 8,
      blockedVersions: [1, 2, 5],
    });
    expect(nextOf(state, { action: 'unblock', targetVersion: 1 })).toEqual({
      ...state,
      releaseVersion: 8,
      blockedVersions: [5],
    });
  });
});

describe('planTransition: what is so already', () => {
  it.each<[ReleaseState, ReleaseRequest]>([
    [idle, { action: 'promote', targetVersion: 3 }],
    [idle, { action: 'promote', targetVersion: 3, strategy: 'canary' }],
    [{ ...idle, stableVersion: 5, blockedVersions: [] }, { action: 'promote' }],
    [idle, { action: 'rollback', targetVersion: 3 }],
    [disabled, { action: 'rollback', targetVersion: 3 }],
    [disabled, { action: 'disable' }],
    [idle, { action: 'enable' }],
    [INITIAL_RELEASE, { action: 'enable' }],
    [idle, { action: 'block', targetVersion: 5 }],
    [idle, { action: 'unblock', targetVersion: 2 }],
    [idle, { action: 'unblock', targetVersion: 3 }],
    [idle, { action: 'enable', expectedReleaseVersion: 7 }],
  ])('changes nothing and succeeds: %j %j', (state, request) => {
    expect(plan(state, request)).toEqual({ ok: true, value: { changed: false, next: state } });
  });
});

describe('planTransition: what is refused', () => {
  it.each<[ReleaseState, ReleaseRequest, string, RegExp]>([
    [idle, { action: 'Promote' }, 'unknown-action', /promote, advance/],
    [idle, { action: '' }, 'unknown-action', /promote/],
    [idle, { action: 'constructor' }, 'unknown-action', /promote/],
    [
      idle,
      { action: 'promote', strategy: 'blue-green' },
      'unknown-strategy',
      /all-at-once, canary/,
    ],
    [idle, { action: 'promote', strategy: {} }, 'malformed-request', /a preset or stages/],
    [idle, { action: 'disable', strategy: 'all-at-once' }, 'malformed-request', /strategy/],
    [idle, { action: 'advance', strategy: 'canary' }, 'malformed-request', /strategy/],
    [idle, { action: 'skip', targetVersion: 4 }, 'malformed-request', /targetVersion/],
    [idle, { action: 'abort', targetVersion: 4 }, 'malformed-request', /targetVersion/],
    [idle, { action: 'abort', force: true, reason: 'x' }, 'malformed-request', /only rollback/],
    [idle, { action: 'rollback' }, 'malformed-request', /targetVersion/],
    [idle, { action: 'block' }, 'malformed-request', /targetVersion/],
    [idle, { action: 'unblock' }, 'malformed-request', /targetVersion/],
    [idle, { action: 'disable', targetVersion: 3 }, 'malformed-request', /targetVersion/],
    [idle, { action: 'promote', force: true, reason: 'x' }, 'malformed-request', /only rollback/],
    [idle, { action: 'rollback', targetVersion: 2, force: true }, 'malformed-request', /reason/],
    [
      idle,
      { action: 'rollback', targetVersion: 2, force: true, reason: ' \n' },
      'malformed-request',
      /reason/,
    ],
    [idle, { action: 'promote', targetVersion: 6 }, 'version-unknown', /1 to 5/],
    [idle, { action: 'rollback', targetVersion: 6 }, 'version-unknown', /1 to 5/],
    [idle, { action: 'block', targetVersion: 6 }, 'version-unknown', /1 to 5/],
    [idle, { action: 'unblock', targetVersion: 6 }, 'version-unknown', /1 to 5/],
    [idle, { action: 'promote', targetVersion: 2 }, 'use-rollback', /rollback/],
    [idle, { action: 'promote', targetVersion: 1 }, 'use-rollback', /rollback/],
    [idle, { action: 'promote', targetVersion: 2, strategy: 'canary' }, 'use-rollback', /rollback/],
    [idle, { action: 'promote' }, 'version-blocked', /version 5 .* blocked/],
    [idle, { action: 'promote', strategy: 'linear' }, 'version-blocked', /version 5 .* blocked/],
    [disabled, { action: 'promote' }, 'invalid-transition', /enable it first/],
    [disabled, { action: 'promote', strategy: 'canary' }, 'invalid-transition', /enable it first/],
    [disabled, { action: 'promote', targetVersion: 3 }, 'invalid-transition', /enable it first/],
    [idle, { action: 'rollback', targetVersion: 4 }, 'use-promote', /use promote/],
    [idle, { action: 'rollback', targetVersion: 1 }, 'version-blocked', /version 1 .* blocked/],
    [disabled, { action: 'rollback', targetVersion: 1 }, 'version-blocked', /blocked/],
    [INITIAL_RELEASE, { action: 'rollback', targetVersion: 1 }, 'invalid-transition', /promote/],
    [INITIAL_RELEASE, { action: 'disable' }, 'invalid-transition', /nothing released/],
    [idle, { action: 'block', targetVersion: 3 }, 'invalid-transition', /roll back first/],
    [disabled, { action: 'block', targetVersion: 3 }, 'invalid-transition', /roll back first/],
  ])('%j %j: %s', (state, request, code, detail) => {
    const outcome = plan(state, request);
    if (outcome.ok) throw new Error('accepted');
    expect(outcome.problem.code).toBe(code);
    expect(outcome.problem.detail).toMatch(detail);
  });

  it.each(['advance', 'skip', 'pause', 'resume', 'abort', 'hold', 'approve'])(
    '%s without a staged release',
    (action) => {
      for (const state of [idle, disabled, INITIAL_RELEASE]) {
        const held = action === 'hold' ? { workloads: { cart: 'it is sick' } } : {};
        const outcome = plan(state, { action, ...held });
        expect(outcome).toMatchObject({ ok: false, problem: { code: 'invalid-transition' } });
        expect(outcome.ok ? '' : outcome.problem.detail).toContain(state.state);
      }
    },
  );

  it.each(RELEASE_ACTIONS)('%s at another release version than the caller saw', (action) => {
    const targetVersion = ['rollback', 'block', 'unblock'].includes(action)
      ? { targetVersion: 2 }
      : action === 'hold'
        ? { workloads: { cart: 'it is sick' } }
        : {};
    for (const expectedReleaseVersion of [0, 6, 8]) {
      const request = { action, ...targetVersion, expectedReleaseVersion };
      expect(plan(idle, request)).toMatchObject({
        ok: false,
        problem: { code: 'version-mismatch', currentReleaseVersion: 7 },
      });
      expect(plan({ ...INITIAL_RELEASE, releaseVersion: 9 }, request, 0)).toMatchObject({
        problem: { code: 'version-mismatch', currentReleaseVersion: 9 },
      });
    }
  });

  it('every action where there is no definition', () => {
    for (const request of [{ action: 'promote' }, { action: 'enable' }]) {
      expect(plan(INITIAL_RELEASE, request, 0)).toMatchObject({ problem: { code: 'not-found' } });
    }
  });
});
