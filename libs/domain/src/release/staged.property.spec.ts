import { address, RELEASE_ACTIONS } from '@pawl/contracts';
import type { ReleaseAction, ReleaseRequest } from '@pawl/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MODEL_WORKLOADS, ReleaseModel } from '../testing/release-model.js';
import type { ModelAction, ModelStrategy } from '../testing/release-model.js';
import { seed } from '../testing/seed.fixture.js';
import { planTransition } from './plan-transition.js';
import { isForLater } from './queue-promote.js';
import { lineOf, supersededBy } from './release-line.js';
import { INITIAL_RELEASE } from './release-state.js';
import type { ReleaseState } from './release-state.js';
import { isLastStage, PREFLIGHT_STAGE, workloadsHeld } from './staged-release.js';

const ADDRESS = address('acme/prod').text;
const ALL_AT_ONCE: ModelStrategy = { strategy: undefined, stages: 0, name: 'all' };
const ASKED = { by: 'ann', at: '2026-01-01T00:00:00.000Z', generation: 1 };
const TIMES = ['2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'] as const;

const UNASKED = { preflight: false } as const;
const APPROVED = { stages: 3, name: 'approved', isApproved: true } as const;
const ONE_ASKED = { stages: 1, name: 'one, asked', asksFirst: true } as const;

const plans: readonly ModelStrategy[] = [
  ALL_AT_ONCE,
  { strategy: 'all-at-once', stages: 0, name: 'all' },
  { strategy: 'canary', stages: 3, name: 'canary', asksFirst: true },
  { strategy: { preset: 'canary', percent: 10 }, stages: 3, name: 'canary', asksFirst: true },
  { strategy: { preset: 'canary', preflight: false }, stages: 3, name: 'canary, unasked' },
  { strategy: { preset: 'linear', stepPercent: 50, ...UNASKED }, stages: 2, name: 'halves' },
  { strategy: { stages: [{ percent: 100 }], preflight: true }, ...ONE_ASKED },
  { strategy: { stages: [{ bakeMs: 0, percent: 100 }], preflight: {} }, ...ONE_ASKED },
  { strategy: { stages: [{ percent: 100 }], ...UNASKED }, stages: 1, name: 'one' },
  { strategy: { stages: [{ percent: 100 }], gates: [], ...UNASKED }, stages: 1, name: 'no gates' },
  { strategy: { stages: [{ count: 1 }, { percent: 100 }], ...UNASKED }, stages: 2, name: 'two' },
  {
    strategy: {
      stages: [{ count: 1 }, { percent: 50 }, { percent: 100 }],
      gates: [{ kind: 'approval' }],
      ...UNASKED,
    },
    ...APPROVED,
  },
  {
    strategy: { stages: [{ percent: 100 }], gates: [{ kind: 'approval' }], ...UNASKED },
    ...APPROVED,
    stages: 1,
    name: 'one, approved',
  },
];

/** What an operator does: a new definition version, or an action. */
interface Step {
  readonly action: string;
  readonly plan: ModelStrategy;
  /** Counted down from the newest version; what is 0 or less is left out where it may be. */
  readonly down: number;
  readonly isForced: boolean;
  /** Of a promote: when it begins, and what becomes of what is under way or queued. */
  readonly later: Pick<ReleaseRequest, 'at' | 'conflict'>;
  /** By how much the release version expected is beside the one that is; `null`: none is. */
  readonly expected: number | null;
  /** Of a hold. */
  readonly workloads: readonly string[];
}

const step: fc.Arbitrary<Step> = fc.record({
  action: fc.constantFrom(
    ...['define', 'define', 'define', 'promote', 'promote', 'promote', 'advance', 'advance'],
    ...[
      'skip',
      'pause',
      'resume',
      'resume',
      'hold',
      'hold',
      'approve',
      'approve',
      'enable',
      'enable',
      'rollback',
      'rollback',
      'unblock',
    ],
    ...RELEASE_ACTIONS,
  ),
  plan: fc.constantFrom(...plans),
  down: fc.constantFrom(-2, -1, 0, 0, 0, 1, 1, 2, 3, 4),
  isForced: fc.boolean(),
  later: fc.constantFrom<Step['later']>(
    ...([{}, {}, {}, {}, {}, {}, { conflict: 'queue' }, { conflict: 'queue' }] as const),
    ...([{ at: TIMES[0] }, { at: TIMES[1] }, { at: TIMES[0], conflict: 'requeue' }] as const),
    ...([{ conflict: 'requeue' }, { at: TIMES[1], conflict: 'supersede' }] as const),
  ),
  expected: fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    { weight: 5, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -2, max: 2 }) },
  ),
  workloads: fc.subarray([...MODEL_WORKLOADS], { minLength: 1 }),
});
const define: Step = {
  action: 'define',
  plan: ALL_AT_ONCE,
  down: 0,
  isForced: false,
  later: {},
  expected: null,
  workloads: [],
};
const history = fc
  .tuple(fc.nat(5), fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }))
  .map(([defined, steps]) => [...Array.from({ length: defined }, () => define), ...steps]);
const runs = { seed, numRuns: 200 };

/** The actions that say nothing of a version. */
const UNTARGETED = new Set([
  ...['advance', 'skip', 'pause', 'resume', 'abort', 'disable', 'enable', 'hold', 'approve'],
  'cancel',
]);

function actionOf(step: Step, model: ModelReleases) {
  const { action, plan, down, isForced, expected, later, workloads } = step;
  const target = Math.max(1, model.newest - Math.max(down, -1));
  const isTargeted = !UNTARGETED.has(action) && (action !== 'promote' || down > -2);
  const acted: ModelAction = {
    action,
    plan: action === 'promote' ? plan : ALL_AT_ONCE,
    ...(action === 'hold'
      ? { workloads: Object.fromEntries(workloads.map((one) => [one, 'it is sick'])) }
      : {}),
    ...(action === 'promote' ? later : {}),
    ...(isTargeted ? { targetVersion: target } : {}),
    ...(action === 'rollback' && isForced ? { force: true, reason: 'outage 12' } : {}),
    ...(expected === null ? {} : { expectedReleaseVersion: Math.max(0, model.version + expected) }),
  };
  return acted;
}

type ModelReleases = Pick<ReleaseModel, 'newest' | 'version'>;

function requestOf({ plan, ...request }: ModelAction): ReleaseRequest {
  return { ...request, ...(plan.strategy === undefined ? {} : { strategy: plan.strategy }) };
}

/** What came of one action. */
interface Trace {
  readonly request: ReleaseRequest;
  readonly before: ReleaseState;
  /** `changed`, `same`, or the code of the refusal. */
  readonly answer: string;
  readonly after: ReleaseState;
  readonly newest: number;
}

function plan(state: ReleaseState, request: ReleaseRequest, newestVersion: number, id: number) {
  const releaseId = `r${id}`;
  return planTransition({
    ...{ state, request, newestVersion, releaseId, address: ADDRESS, asked: ASKED },
  });
}

/** Runs the steps in the code and in the model, which must agree on every answer and state. */
function run(steps: readonly Step[]): readonly Trace[] {
  const model = new ReleaseModel();
  const traces: Trace[] = [];
  let before = INITIAL_RELEASE;
  for (const [at, each] of steps.entries()) {
    if (each.action === 'define') {
      model.newest += 1;
      continue;
    }
    const action = actionOf(each, model);
    const request = requestOf(action);
    const expected = model.act(action);
    const outcome = plan(before, request, model.newest, at);
    const after = outcome.ok ? outcome.value.next : before;
    const done = outcome.ok && outcome.value.changed ? 'changed' : 'same';
    const answer = outcome.ok ? done : outcome.problem.code;
    expect({ request, answer, ...ReleaseModel.of(after) }).toEqual({
      ...{ request, answer: expected },
      ...model.told,
    });
    traces.push({ request, before, answer, after, newest: model.newest });
    before = after;
  }
  return traces;
}

/** Checks `judge` on every action of many histories. */
function everywhere(judge: (trace: Trace) => void): void {
  fc.assert(
    fc.property(history, (steps) => {
      run(steps).forEach(judge);
    }),
    runs,
  );
}

describe('releases, whatever is asked of them', () => {
  it('are what the design says', () => {
    const seen = new Map<string, number>();
    everywhere(({ request, answer }) => {
      const each = `${request.action} ${answer}`;
      seen.set(each, (seen.get(each) ?? 0) + 1);
    });
    for (const action of RELEASE_ACTIONS) {
      expect(seen.get(`${action} changed`), action).toBeGreaterThan(0);
    }
    const codes = ['version-mismatch', 'release-in-flight', 'use-rollback', 'version-blocked'];
    const later = ['release-queued', 'malformed-request'];
    for (const code of [...codes, ...later, 'same', 'invalid-transition']) {
      expect(seen.get(`promote ${code}`), code).toBeGreaterThan(0);
    }
  });

  it('have the next release version exactly when something changed', () => {
    everywhere(({ before, answer, after }) => {
      if (answer !== 'changed') expect(after).toBe(before);
      else expect(after.releaseVersion).toBe(before.releaseVersion + 1);
    });
  });

  it('are under way in stages exactly while they roll or are paused', () => {
    everywhere(({ after }) => {
      expect(after.staged !== null).toBe(['rolling', 'paused'].includes(after.state));
      if (after.state !== 'paused') expect(after.staged?.pausedFor ?? null).toBeNull();
      expect(after.staged?.pausedAt).toBe(after.state === 'paused' ? ASKED.at : undefined);
    });
  });

  it('are told by the lines of history from their beginning to their end', () => {
    const outcomes = new Map<string, number>();
    everywhere(({ request, before, answer, after }) => {
      if (answer !== 'changed') return;
      const [from, to] = [before.staged, after.staged];
      const cause = { action: request.action as ReleaseAction };
      const own = lineOf(before, after, cause);
      const other = supersededBy(before, after, cause);
      const endings = [own, other].filter((line) => line?.ended !== undefined);
      const hasEnded = from !== null && from.id !== to?.id;
      expect(endings.map((line) => line?.releaseId)).toEqual(hasEnded ? [from.id] : []);
      for (const { ended } of endings.flatMap((line) => line ?? [])) {
        outcomes.set(ended?.outcome ?? '', (outcomes.get(ended?.outcome ?? '') ?? 0) + 1);
        const asked = { begunAt: ASKED.at, begunBy: ASKED.by };
        const { candidateVersion: candidate, stage, stages, strategy } = from!;
        const told = { candidate, stages: stages.length, strategy, ...asked };
        expect(ended).toMatchObject({ ...told, stableVersion: before.stableVersion });
        expect(ended?.stage).toBe(stage === PREFLIGHT_STAGE ? undefined : stage);
      }
      if (to !== null && to.id !== from?.id) expect(own).toEqual({ releaseId: to.id });
      const isMoved = from?.id === to?.id && JSON.stringify(from) !== JSON.stringify(to);
      if (isMoved) expect(own).toEqual({ releaseId: from?.id });
      if (from === null && to === null) expect(own).toEqual({});
    });
    const all = ['completed', 'aborted', 'rolled-back', 'superseded', 'disabled', 'blocked'];
    expect([...outcomes.keys()].sort()).toEqual(all.sort());
  });

  it('have a candidate above what is stable, and neither of them is blocked', () => {
    everywhere(({ after: { staged, stableVersion, blockedVersions } }) => {
      const candidate = staged?.candidateVersion ?? Infinity;
      expect(candidate).toBeGreaterThan(stableVersion ?? 0);
      expect(blockedVersions).not.toContain(candidate);
      expect(blockedVersions).not.toContain(stableVersion);
    });
  });

  it('reach one stage after the other, but for a skip', () => {
    everywhere(({ request, before: { staged: from }, after: { staged: to } }) => {
      if (to === null) return;
      const isNew = from?.id !== to.id;
      const first = to.preflight === undefined ? 0 : PREFLIGHT_STAGE;
      const reached = isNew ? first - 1 : from.stage;
      if (to.stage === reached) return;
      const isSkip = request.action === 'skip';
      expect(to.stage).toBe(isSkip ? to.stages.length - 1 : reached + 1);
      expect(request.action).toBe(isSkip ? 'skip' : isNew ? 'promote' : 'advance');
    });
  });

  it('hold a workload until they are resumed or end, whatever stage they reach', () => {
    everywhere(({ request, answer, before: { staged: from }, after: { staged: to } }) => {
      if (from === null || to?.id !== from.id || !['changed', 'same'].includes(answer)) return;
      const [was, is] = [from, to].map((one) => workloadsHeld(one));
      if (request.action === 'resume') expect(is).toEqual([]);
      else expect(is).toEqual(expect.arrayContaining([...was!]));
      if (is!.length > was!.length) expect(request.action).toBe('hold');
    });
  });

  it('have no candidate after abort, rollback, disable and all at once', () => {
    everywhere(({ request, before, answer, after }) => {
      const { action, strategy } = request;
      if (isForLater(before, request)) return;
      const isAllAtOnce = action === 'promote' && (strategy ?? 'all-at-once') === 'all-at-once';
      if (!isAllAtOnce && !['abort', 'rollback', 'disable'].includes(action)) return;
      // A promotion of what is stable asks for what is so already.
      if (answer === 'changed' || (answer === 'same' && !isAllAtOnce)) {
        expect(after.staged).toBeNull();
      }
    });
  });

  it('end once: after the last stage, or by one action that ends them', () => {
    const ENDING = ['abort', 'rollback', 'disable', 'block', 'promote', 'advance'];
    let ended = 0;
    fc.assert(
      fc.property(history, (steps) => {
        const over = new Set<string>();
        for (const { request, before, after } of run(steps)) {
          if (after.staged !== null) expect(over).not.toContain(after.staged.id);
          if (before.staged === null || after.staged !== null) {
            if (before.staged !== null) expect(after.staged?.id).toBe(before.staged.id);
            continue;
          }
          over.add(before.staged.id);
          ended += 1;
          expect(ENDING).toContain(request.action);
          if (request.action !== 'advance') continue;
          expect(isLastStage(before.staged)).toBe(true);
          expect(after.stableVersion).toBe(before.staged.candidateVersion);
        }
      }),
      runs,
    );
    expect(ended).toBeGreaterThan(10);
  });

  it('change nothing when they are asked once more for what was done', () => {
    everywhere(({ request, answer, after, newest }) => {
      const { action, expectedReleaseVersion: _, ...rest } = request;
      // Another advance is another stage, and what was ended or dropped is there no more.
      if (answer !== 'changed' || ['advance', 'abort', 'cancel'].includes(action)) return;
      expect(plan(after, { action, ...rest }, newest, -1)).toEqual({
        ok: true,
        value: { changed: false, next: after },
      });
    });
  });

  it('have one promote queued at most, of a version that nobody runs yet and that is not blocked', () => {
    let kept = 0;
    everywhere(({ after: { queued, state, staged, stableVersion, blockedVersions } }) => {
      if (queued === null) return;
      kept += 1;
      expect(state).not.toBe('disabled');
      expect(queued.targetVersion).toBeGreaterThan(staged?.candidateVersion ?? 0);
      expect(queued.targetVersion).toBeGreaterThan(stableVersion ?? 0);
      expect(blockedVersions).not.toContain(queued.targetVersion);
    });
    expect(kept).toBeGreaterThan(100);
  });

  it('change nothing of what consumers read when a promote is queued or cancelled', () => {
    everywhere(({ request, before, after }) => {
      if (!isForLater(before, request) && request.action !== 'cancel') return;
      const { queued: _, releaseVersion: __, ...rest } = before;
      expect(after).toMatchObject(rest);
    });
  });

  it('begin what is queued once, as what it was queued as, where nothing is under way', () => {
    let begun = 0;
    everywhere(({ after: state, newest }) => {
      const { queued: begins, staged } = state;
      if (begins === null) return;
      const { targetVersion } = begins;
      const request = { action: 'promote', targetVersion };
      const begin = (from: ReleaseState) =>
        planTransition({
          ...{ state: from, request, newestVersion: newest, releaseId: 'other', begins },
          ...{ address: ADDRESS, asked: ASKED },
        });
      const outcome = begin(state);
      if (staged !== null) {
        expect(outcome).toMatchObject({ problem: { code: 'release-in-flight' } });
        return;
      }
      begun += 1;
      const next = outcome.ok ? outcome.value.next : state;
      expect(next.queued).toBeNull();
      const { id, strategy } = begins;
      if (strategy === null) expect(next.stableVersion).toBe(targetVersion);
      else expect(next.staged).toMatchObject({ ...strategy, id, candidateVersion: targetVersion });
      expect(begin(next)).toMatchObject({ value: { changed: false } });
    });
    expect(begun).toBeGreaterThan(50);
  });
});
