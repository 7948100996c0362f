import { address } from '@pawl/contracts';
import type { ReleaseRequest, Strategy } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { planTransition } from './plan-transition.js';
import { INITIAL_RELEASE } from './release-state.js';
import type { ReleaseState } from './release-state.js';
import { resolveStrategy } from './resolve-strategy.js';
import { isLastStage } from './staged-release.js';
import type { StagedRelease } from './staged-release.js';

const ADDRESS = address('acme/prod').text;
const NEWEST = 9;
const ID = 'r7';
const AT = '2026-01-01T00:00:00.000Z';

/** Three stages. */
const CANARY = resolvedCanary();
const staged: StagedRelease = {
  ...CANARY,
  ...{ id: ID, candidateVersion: 6, stage: 1, pausedFor: null },
};
const { preflight: _, ...unasked } = staged;
/** Version 3 is stable and was forced, 6 is the candidate, and 3 and 6 have room on each side. */
const rolling: ReleaseState = {
  ...{ state: 'rolling', releaseVersion: 7, stableVersion: 3, contributionAt: 6, loweredAt: 4 },
  ...{ forced: true, blockedVersions: [1, 8], staged, queued: null, pins: [] },
};
const paused: ReleaseState = {
  ...{ ...rolling, state: 'paused' },
  staged: { ...staged, pausedFor: 'errors in eu', pausedAt: '2025-12-31T00:00:00.000Z' },
};
const last: ReleaseState = { ...rolling, staged: { ...staged, stage: 2 } };
const first: ReleaseState = { ...rolling, staged: { ...staged, stage: 0 } };
const asking: ReleaseState = { ...rolling, staged: { ...staged, stage: -1 } };
/** Nothing was ever released to all. */
const unreleased: ReleaseState = {
  ...{ ...rolling, stableVersion: null, contributionAt: 7, loweredAt: null, forced: false },
  blockedVersions: [],
};
const idle: ReleaseState = { ...rolling, state: 'idle', staged: null };

function resolvedCanary() {
  const outcome = resolveStrategy('canary');
  if (!outcome.ok || outcome.value === null) throw new Error('canary has stages');
  return outcome.value;
}

function plan(state: ReleaseState, request: ReleaseRequest) {
  return planTransition({
    ...{ state, request, newestVersion: NEWEST, address: ADDRESS, releaseId: 'r8' },
    asked: { by: 'ann', at: AT, generation: 1 },
  });
}

function nextOf(state: ReleaseState, request: ReleaseRequest): ReleaseState {
  const outcome = plan(state, request);
  if (!outcome.ok) throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
  expect(outcome.value.changed).toBe(true);
  return outcome.value.next;
}

const begun = { id: 'r8', begunAt: AT, begunBy: 'ann' };
/** What every change of the states above gives. */
const moved = { releaseVersion: 8 };
const contributes = { ...moved, contributionAt: 8 };
/** The candidates went back. */
const lowered = { ...contributes, loweredAt: 8 };
const ended = { state: 'idle', staged: null } as const;

type Row = readonly [
  name: string,
  state: ReleaseState,
  request: ReleaseRequest,
  change: Partial<ReleaseState>,
];

describe('a release in stages: what begins one', () => {
  it.each<Row>([
    [
      'above a stable version',
      idle,
      { action: 'promote', targetVersion: 6, strategy: 'canary' },
      { state: 'rolling', ...contributes, staged: { ...staged, stage: -1, ...begun } },
    ],
    [
      'without a preflight, in its first stage',
      idle,
      { action: 'promote', targetVersion: 6, strategy: { preset: 'canary', preflight: false } },
      { state: 'rolling', ...contributes, staged: { ...unasked, stage: 0, ...begun } },
    ],
    [
      'of the newest version unless told',
      INITIAL_RELEASE,
      { action: 'promote', strategy: { preset: 'canary' } },
      {
        ...{ state: 'rolling', releaseVersion: 1, contributionAt: 1 },
        staged: { ...staged, stage: -1, candidateVersion: 9, ...begun },
      },
    ],
  ])('%s', (_, state, request, change) => {
    expect(nextOf(state, request)).toEqual({ ...state, ...change });
  });
});

describe('a release in stages: what changes it', () => {
  it.each<Row>([
    [
      'advance reaches the next stage, which is told but contributes nothing else',
      ...([rolling, { action: 'advance' }] as const),
      { ...moved, staged: { ...staged, stage: 2 } },
    ],
    [
      'advance from the preflight',
      ...([asking, { action: 'advance' }] as const),
      { ...moved, staged: { ...staged, stage: 0 } },
    ],
    [
      'abort from the preflight',
      ...([asking, { action: 'abort' }] as const),
      { ...lowered, ...ended },
    ],
    [
      'advance from the first stage',
      ...([first, { action: 'advance' }] as const),
      { ...moved, staged: { ...staged, stage: 1 } },
    ],
    [
      'advance from the last stage makes the candidate stable',
      ...([last, { action: 'advance' }] as const),
      { ...ended, ...contributes, stableVersion: 6, forced: false },
    ],
    [
      'advance from the last stage of the first release ever',
      { ...unreleased, staged: last.staged },
      { action: 'advance' },
      { ...ended, ...contributes, stableVersion: 6 },
    ],
    [
      'skip goes to the last stage',
      ...([first, { action: 'skip' }] as const),
      { ...moved, staged: { ...staged, stage: 2 } },
    ],
    [
      'pause keeps the stage, why, and since when',
      ...([rolling, { action: 'pause', reason: 'errors in eu' }] as const),
      { ...moved, state: 'paused', staged: { ...staged, pausedFor: 'errors in eu', pausedAt: AT } },
    ],
    [
      'pause without a reason',
      ...([last, { action: 'pause' }] as const),
      { ...moved, state: 'paused', staged: { ...last.staged!, pausedAt: AT } },
    ],
    [
      'resume goes on where it was',
      ...([paused, { action: 'resume' }] as const),
      { ...moved, state: 'rolling', staged },
    ],
    [
      'block of another version leaves it',
      ...([rolling, { action: 'block', targetVersion: 7 }] as const),
      { ...moved, blockedVersions: [1, 7, 8] },
    ],
    [
      'unblock leaves it',
      ...([paused, { action: 'unblock', targetVersion: 8 }] as const),
      { ...moved, blockedVersions: [1] },
    ],
  ])('%s', (_, state, request, change) => {
    expect(nextOf(state, request)).toEqual({ ...state, ...change });
  });
});

describe.each([
  ['rolling', rolling],
  ['paused', paused],
  ['at the last stage', last],
])('a release in stages that is %s: what ends it', (_, state) => {
  it.each<readonly [name: string, request: ReleaseRequest, change: Partial<ReleaseState>]>([
    ['abort', { action: 'abort' }, lowered],
    ['rollback to what is stable', { action: 'rollback', targetVersion: 3 }, lowered],
    [
      'rollback below',
      { action: 'rollback', targetVersion: 2 },
      { ...lowered, stableVersion: 2, forced: false },
    ],
    ['disable', { action: 'disable' }, { ...lowered, state: 'disabled' }],
    [
      'block of the candidate',
      { action: 'block', targetVersion: 6 },
      { ...lowered, blockedVersions: [1, 6, 8] },
    ],
    [
      'all at once above it',
      { action: 'promote', targetVersion: 7, strategy: 'all-at-once' },
      { ...contributes, stableVersion: 7, forced: false },
    ],
    [
      'all at once of the candidate',
      { action: 'promote', targetVersion: 6, strategy: 'all-at-once' },
      { ...contributes, stableVersion: 6, forced: false },
    ],
    [
      'all at once below it, which says that candidates go down',
      { action: 'promote', targetVersion: 5, strategy: 'all-at-once' },
      { ...lowered, stableVersion: 5, forced: false },
    ],
  ])('%s', (_name, request, change) => {
    expect(nextOf(state, request)).toEqual({ ...state, ...ended, ...change });
  });
});

describe('the first release ever of an address in stages', () => {
  it.each<readonly [request: ReleaseRequest, change: Partial<ReleaseState>]>([
    [{ action: 'abort' }, lowered],
    [
      { action: 'block', targetVersion: 6 },
      { ...lowered, blockedVersions: [6] },
    ],
    [
      { action: 'promote', targetVersion: 5, strategy: 'all-at-once' },
      { ...lowered, stableVersion: 5 },
    ],
  ])('is ended by %j', (request, change) => {
    expect(nextOf(unreleased, request)).toEqual({ ...unreleased, ...ended, ...change });
  });

  it.each<ReleaseRequest>([{ action: 'rollback', targetVersion: 2 }, { action: 'disable' }])(
    'is not by %j, which needs something stable',
    (request) => {
      const outcome = plan(unreleased, request);
      expect(outcome).toMatchObject({ ok: false, problem: { code: 'invalid-transition' } });
      expect(outcome.ok ? '' : outcome.problem.detail).toMatch(/abort the release/);
    },
  );
});

describe('a release in stages: what is so already', () => {
  it.each<[ReleaseState, ReleaseRequest]>([
    [last, { action: 'skip' }],
    [paused, { action: 'pause' }],
    [paused, { action: 'pause', reason: 'another' }],
    [rolling, { action: 'resume' }],
    [rolling, { action: 'enable' }],
    [rolling, { action: 'promote', targetVersion: 6, strategy: 'canary' }],
    [paused, { action: 'promote', targetVersion: 6, strategy: { preset: 'canary' } }],
    [last, { action: 'promote', targetVersion: 6, strategy: { percent: 10, preset: 'canary' } }],
    [rolling, { action: 'promote', targetVersion: 3 }],
    [rolling, { action: 'promote', targetVersion: 3, strategy: 'canary' }],
    [rolling, { action: 'block', targetVersion: 8 }],
    [rolling, { action: 'unblock', targetVersion: 6 }],
  ])('changes nothing and succeeds: %j %j', (state, request) => {
    expect(plan(state, request)).toEqual({ ok: true, value: { changed: false, next: state } });
  });

  it('the same strategy is the same, in whatever order its members are kept', () => {
    const strategy: Strategy = {
      stages: [
        { count: 1, selector: { region: ['eu'], tier: ['a'] }, bakeMs: 5 },
        { percent: 100 },
      ],
      gates: [{ kind: 'applied', withinMs: 2_000 }],
    };
    const request = { action: 'promote', targetVersion: 6, strategy };
    const begun = nextOf(idle, request);
    const kept: ReleaseState = { ...begun, staged: reversed(begun.staged) };
    expect(JSON.stringify(kept)).not.toBe(JSON.stringify(begun));
    expect(plan(kept, request)).toEqual({ ok: true, value: { changed: false, next: kept } });
  });
});

/** The same value with the members of its objects the other way round. */
function reversed<T>(value: T): T {
  if (Array.isArray(value)) return value.map(reversed) as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).reverse();
  return Object.fromEntries(members.map(([key, member]) => [key, reversed(member)])) as T;
}

describe('a release in stages: what is refused', () => {
  it.each<[ReleaseState, ReleaseRequest, string, string]>([
    [
      ...([rolling, { action: 'promote', targetVersion: 7, strategy: 'canary' }] as const),
      ...(['release-in-flight', 'release r7 of version 6 of acme/prod is rolling'] as const),
    ],
    [
      ...([paused, { action: 'promote', targetVersion: 6, strategy: 'linear' }] as const),
      ...([
        'release-in-flight',
        'is paused at stage 2 of 3: let it end, abort it, or supersede it',
      ] as const),
    ],
    [
      rolling,
      { action: 'promote', targetVersion: 6, strategy: { preset: 'canary', percent: 20 } },
      ...(['release-in-flight', 'let it end, abort it, or supersede it'] as const),
    ],
    [
      rolling,
      { action: 'promote', targetVersion: 6, strategy: { preset: 'canary', gates: [] } },
      ...(['release-in-flight', 'let it end, abort it, or supersede it'] as const),
    ],
    [
      ...([paused, { action: 'promote', targetVersion: 6 }] as const),
      ...(['release-in-flight', 'the strategy all-at-once, where it is named, ends it'] as const),
    ],
    [
      ...([rolling, { action: 'promote', targetVersion: 5, conflict: 'queue' }] as const),
      ...(['release-in-flight', 'version 6, which is newer than 5, of acme/prod is'] as const),
    ],
    [
      ...([rolling, { action: 'promote', targetVersion: 8 }] as const),
      ...(['version-blocked', 'version 8 of acme/prod is blocked'] as const),
    ],
    [
      ...([rolling, { action: 'promote', targetVersion: 2, strategy: 'canary' }] as const),
      ...(['use-rollback', 'below the stable version 3'] as const),
    ],
    [
      ...([rolling, { action: 'rollback', targetVersion: 6 }] as const),
      ...(['use-promote', 'above the stable version 3'] as const),
    ],
    [
      ...([rolling, { action: 'rollback', targetVersion: 1 }] as const),
      ...(['version-blocked', 'version 1 of acme/prod is blocked'] as const),
    ],
    [
      ...([rolling, { action: 'block', targetVersion: 3 }] as const),
      ...(['invalid-transition', 'roll back first'] as const),
    ],
    [
      ...([paused, { action: 'advance' }] as const),
      ...([
        'invalid-transition',
        'the release of acme/prod is paused: resume it, then adv',
      ] as const),
    ],
    [
      ...([paused, { action: 'skip' }] as const),
      ...([
        'invalid-transition',
        'the release of acme/prod is paused: resume it, then skip',
      ] as const),
    ],
    [
      { ...paused, staged: last.staged },
      { action: 'skip' },
      ...(['invalid-transition', 'resume it, then skip'] as const),
    ],
    [
      ...([idle, { action: 'abort' }] as const),
      'invalid-transition',
      'abort needs a release in stages under way, and acme/prod is idle',
    ],
    [
      ...([{ ...idle, state: 'disabled' }, { action: 'advance' }] as const),
      'invalid-transition',
      'advance needs a release in stages under way, and acme/prod is disabled',
    ],
  ])('%j %j: %s', (state, request, code, detail) => {
    const outcome = plan(state, request);
    if (outcome.ok) throw new Error('accepted');
    expect(outcome.problem.code).toBe(code);
    expect(outcome.problem.detail).toContain(detail);
  });

  it('says at which release version one is in flight', () => {
    expect(
      plan(rolling, { action: 'promote', targetVersion: 7, strategy: 'linear' }),
    ).toMatchObject({
      problem: { code: 'release-in-flight', currentReleaseVersion: 7 },
    });
  });

  it('but one that supersedes it: whoever ran the former candidate may go down', () => {
    const request = { action: 'promote', targetVersion: 7, strategy: 'linear' };
    const outcome = plan(rolling, { ...request, conflict: 'supersede' });
    expect(outcome).toMatchObject({
      value: {
        changed: true,
        next: { state: 'rolling', releaseVersion: 8, contributionAt: 8, loweredAt: 8 },
      },
    });
    expect(outcome).toMatchObject({
      value: { next: { staged: { candidateVersion: 7, strategy: 'linear', stage: -1 } } },
    });
    const abort = { action: 'abort', conflict: 'supersede' } as const;
    expect(plan(rolling, abort)).toMatchObject({ problem: { code: 'malformed-request' } });
  });

  it.each(['advance', 'skip', 'pause', 'resume', 'abort'])(
    '%s at another release version than the caller saw',
    (action) => {
      for (const state of [rolling, paused]) {
        expect(plan(state, { action, expectedReleaseVersion: 6 })).toMatchObject({
          problem: { code: 'version-mismatch', currentReleaseVersion: 7 },
        });
      }
    },
  );
});

describe('a release from its first stage to its end', () => {
  it('reaches every stage, and is told once it contributes and once it ends', () => {
    let state = nextOf(INITIAL_RELEASE, { action: 'promote', strategy: 'canary' });
    const { staged: begun } = state;
    for (const stage of [0, 1, 2]) {
      state = nextOf(state, { action: 'advance' });
      expect(state).toEqual({
        ...{ ...INITIAL_RELEASE, state: 'rolling', releaseVersion: 2 + stage, contributionAt: 1 },
        staged: { ...begun, stage },
      });
    }
    expect(isLastStage(state.staged!)).toBe(true);
    expect(nextOf(state, { action: 'advance' })).toEqual({
      ...{ ...INITIAL_RELEASE, releaseVersion: 5, stableVersion: 9, contributionAt: 5 },
    });
  });

  it('of a single stage ends with one advance', () => {
    const strategy = { stages: [{ percent: 100 }], preflight: false };
    const begun = nextOf(idle, { action: 'promote', targetVersion: 4, strategy });
    expect(isLastStage(begun.staged!)).toBe(true);
    expect(plan(begun, { action: 'skip' })).toMatchObject({ ok: true, value: { changed: false } });
    expect(nextOf(begun, { action: 'advance' })).toMatchObject({ state: 'idle', stableVersion: 4 });
  });
});
