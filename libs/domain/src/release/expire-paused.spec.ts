import { address } from '@pawl/contracts';
import type { ReleaseRequest, Strategy } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { planTransition } from './plan-transition.js';
import { INITIAL_RELEASE } from './release-state.js';
import type { ReleaseState } from './release-state.js';

const MINUTE_MS = 60_000;
const WEEK_MS = 604_800_000;

function plan(state: ReleaseState, request: ReleaseRequest, day = 1) {
  return planTransition({
    ...{ state, request, newestVersion: 1, address: address('acme').text, releaseId: 'r1' },
    asked: { by: 'ann', at: `2026-01-0${day}T00:00:00.000Z`, generation: 1 },
  });
}

function after(state: ReleaseState, action: string, day: number): ReleaseState {
  const outcome = plan(state, { action }, day);
  if (!outcome.ok) throw new Error(outcome.problem.detail);
  return outcome.value.next;
}

const promote = (strategy: Strategy): ReleaseRequest => ({ action: 'promote', strategy });

function begun(strategy: Strategy): ReleaseState {
  const outcome = plan(INITIAL_RELEASE, promote(strategy));
  if (!outcome.ok) throw new Error(outcome.problem.detail);
  return outcome.value.next;
}

describe('how long a release may stay paused', () => {
  const short = { preset: 'canary', expireMs: MINUTE_MS } as const;

  it('is kept with it, from when it was paused until it goes on', () => {
    const rolling = begun(short);
    expect(rolling.staged).toMatchObject({ expireMs: MINUTE_MS });
    expect(rolling.staged).not.toHaveProperty('pausedAt');
    const paused = after(rolling, 'pause', 2);
    expect(paused.staged).toMatchObject({
      expireMs: MINUTE_MS,
      pausedAt: '2026-01-02T00:00:00.000Z',
    });
    expect(after(paused, 'pause', 3)).toEqual(paused);
    const resumed = after(paused, 'resume', 4);
    expect(resumed.staged).toEqual(rolling.staged);
    expect(after(resumed, 'pause', 5).staged?.pausedAt).toBe('2026-01-05T00:00:00.000Z');
  });

  it('makes another strategy of it, unless it says what holds anyway', () => {
    expect(plan(begun(short), promote(short))).toMatchObject({ value: { changed: false } });
    const refused = { problem: { code: 'release-in-flight' } };
    expect(plan(begun(short), promote('canary'))).toMatchObject(refused);
    const week = { ...short, expireMs: WEEK_MS };
    expect(plan(begun('canary'), promote(week))).toMatchObject({ value: { changed: false } });
  });
});
