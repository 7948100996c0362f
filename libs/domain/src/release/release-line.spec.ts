import { describe, expect, it } from 'vitest';
import type { ReleaseAction } from '@pawl/contracts';
import { lineOf, supersededBy } from './release-line.js';
import { INITIAL_RELEASE } from './release-state.js';
import type { ReleaseState } from './release-state.js';
import type { StagedRelease } from './staged-release.js';

const POLICY = { address: 'acme:release-policy', version: 4 };
const BEGUN = { begunAt: '2026-01-01T00:00:00.000Z', begunBy: 'ann' };
const staged: StagedRelease = {
  ...{ id: 'r7', candidateVersion: 6, strategy: 'careful', policyVersion: POLICY, ...BEGUN },
  stages: [
    { count: 1, bakeMs: 0 },
    { percent: 100, bakeMs: 0 },
  ],
  ...{ gates: [], stage: 1, pausedFor: null },
};
const idle: ReleaseState = { ...INITIAL_RELEASE, releaseVersion: 6, stableVersion: 3 };
const rolling: ReleaseState = { ...idle, state: 'rolling', staged };
const ENDED = {
  ...{ strategy: 'careful', candidate: 6, stableVersion: 3, stage: 1, stages: 2 },
  ...{ policyVersion: POLICY, ...BEGUN },
};

/** Another release takes its place. */
const other: ReleaseState = {
  ...rolling,
  staged: { ...staged, id: 'r8', candidateVersion: 7 },
};

describe('the line of a transition', () => {
  it('names the release that begins, and the policy that its strategy is from', () => {
    const line = lineOf(idle, rolling, { action: 'promote' });
    expect(line).toEqual({ releaseId: 'r7', policyVersion: POLICY });
    const { policyVersion: _, ...inline } = staged;
    const begun = { ...rolling, staged: inline };
    expect(lineOf(idle, begun, { action: 'promote' })).toEqual({ releaseId: 'r7' });
    expect(supersededBy(idle, rolling, { action: 'promote' })).toBeNull();
  });

  it.each<ReleaseAction>(['advance', 'skip', 'pause', 'resume', 'hold', 'approve'])(
    'names the release that goes on with %s',
    (action) => {
      expect(lineOf(rolling, rolling, { action })).toEqual({ releaseId: 'r7' });
    },
  );

  it.each<ReleaseAction>(['block', 'unblock', 'enable', 'promote', 'cancel'])(
    'names none with %s, which leaves it as it is',
    (action) => {
      expect(lineOf(rolling, rolling, { action })).toEqual({});
      expect(lineOf(idle, idle, { action })).toEqual({});
      expect(supersededBy(rolling, rolling, { action })).toBeNull();
    },
  );

  it.each([
    ['advance', 'completed'],
    ['abort', 'aborted'],
    ['rollback', 'rolled-back'],
    ['disable', 'disabled'],
    ['block', 'blocked'],
  ] as const)('says with %s that it was %s', (action, outcome) => {
    const ended = { outcome, ...ENDED };
    expect(lineOf(rolling, idle, { action })).toEqual({ releaseId: 'r7', ended });
    expect(supersededBy(rolling, idle, { action })).toBeNull();
  });

  it('says how it ended where the action does not', () => {
    const line = lineOf(rolling, idle, { action: 'abort', outcome: 'expired' });
    expect(line.ended).toEqual({ outcome: 'expired', ...ENDED });
  });

  it('says of what a promote ends in a line of its own', () => {
    const cause = { action: 'promote' } as const;
    const ended = { outcome: 'superseded', ...ENDED };
    expect(lineOf(rolling, other, cause)).toEqual({ releaseId: 'r8', policyVersion: POLICY });
    expect(supersededBy(rolling, other, cause)).toEqual({ releaseId: 'r7', ended });
    expect(lineOf(rolling, idle, cause)).toEqual({});
    expect(supersededBy(rolling, idle, cause)).toEqual({ releaseId: 'r7', ended });
  });

  it('tells no stage of what ended in its preflight, and nothing that is not known', () => {
    const { begunAt: _, begunBy: __, policyVersion: ___, ...old } = staged;
    const asking = { ...rolling, staged: { ...old, stage: -1 } };
    expect(lineOf(asking, idle, { action: 'abort' }).ended).toEqual({
      ...{ outcome: 'aborted', strategy: 'careful', candidate: 6, stableVersion: 3, stages: 2 },
    });
  });
});
