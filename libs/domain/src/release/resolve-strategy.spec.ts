import { STRATEGY_NAMES } from '@pawl/contracts';
import type { Gate, Strategy } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { resolveStrategy } from './resolve-strategy.js';
import type { ResolvedStrategy } from './resolve-strategy.js';
import { expireMsOf, progressMsOf } from './staged-release.js';

const MINUTE_MS = 60_000;
const DEFAULT_GATES = [
  { kind: 'rejections', limit: 0, onFailure: 'abort' },
  { kind: 'lost', percent: 5, onFailure: 'pause' },
  { kind: 'applied', percent: 95, withinMs: MINUTE_MS, onFailure: 'pause' },
  { kind: 'restarts', limit: 0, withinMs: 10 * MINUTE_MS, onFailure: 'abort' },
];
const DEFAULT_PREFLIGHT = { timeoutMs: 3_000, onRejection: 'abort', onSilence: 'pause' };
const ALL = { percent: 100 };

function resolved(strategy: Strategy): ResolvedStrategy {
  const outcome = resolveStrategy(strategy);
  if (!outcome.ok) throw new Error(outcome.problem.detail);
  if (outcome.value === null) throw new Error('all at once');
  return outcome.value;
}

/** What the stages before the last one reach, in per cent. */
const sharesOf = (strategy: Strategy): (number | undefined)[] => {
  const { stages } = resolved(strategy);
  expect(stages.at(-1)).toMatchObject(ALL);
  return stages.slice(0, -1).map(({ percent }) => percent);
};

const gatesOf = (gates: readonly Gate[]): readonly Gate[] =>
  resolved({ preset: 'canary', gates }).gates;

describe('resolveStrategy: the preflight', () => {
  it.each<[Strategy, object | undefined]>([
    [{ preset: 'linear', preflight: true }, DEFAULT_PREFLIGHT],
    [{ preset: 'linear', preflight: false }, undefined],
    [
      { stages: [ALL], preflight: { timeoutMs: 500, onSilence: 'proceed' } },
      { ...DEFAULT_PREFLIGHT, timeoutMs: 500, onSilence: 'proceed' },
    ],
    [
      { stages: [ALL], preflight: { onRejection: 'pause' } },
      { ...DEFAULT_PREFLIGHT, onRejection: 'pause' },
    ],
  ])('of %j', (strategy, expected) => {
    expect(resolved(strategy).preflight).toEqual(expected);
  });
});

describe('resolveStrategy: presets', () => {
  it.each([undefined, 'all-at-once'])('%s has no stages', (strategy) => {
    expect(resolveStrategy(strategy)).toEqual({ ok: true, value: null });
  });

  it.each([
    ['canary', [{ count: 1 }, { percent: 10 }]],
    ['linear', [{ percent: 20 }, { percent: 40 }, { percent: 60 }, { percent: 80 }]],
    [
      'exponential',
      [{ percent: 1 }, { percent: 3 }, { percent: 9 }, { percent: 27 }, { percent: 81 }],
    ],
  ] as const)('%s: its stages, each with its bake time, and the gates', (preset, before) => {
    const expected = {
      strategy: preset,
      stages: [
        ...before.map((stage) => ({ ...stage, bakeMs: 5 * MINUTE_MS })),
        { ...ALL, bakeMs: 10 * MINUTE_MS },
      ],
      gates: DEFAULT_GATES,
      preflight: DEFAULT_PREFLIGHT,
    };
    expect(resolved(preset)).toEqual(expected);
    expect(resolved({ preset })).toEqual(expected);
  });

  it('all-at-once as a preset is one stage that is asked about, judged and watched', () => {
    const expected = {
      strategy: 'all-at-once',
      stages: [{ ...ALL, bakeMs: 10 * MINUTE_MS }],
      gates: DEFAULT_GATES,
      preflight: DEFAULT_PREFLIGHT,
    };
    expect(resolved({ preset: 'all-at-once' })).toEqual(expected);
    const own = resolved({ preset: 'all-at-once', finalBakeMs: 5, gates: [], preflight: false });
    expect(own).toEqual({ strategy: 'all-at-once', stages: [{ ...ALL, bakeMs: 5 }], gates: [] });
  });

  it.each(STRATEGY_NAMES)('%s is a strategy', (name) => {
    expect(resolveStrategy(name).ok).toBe(true);
  });

  it('takes bake times of one’s own: for the stages before the last, and for the last', () => {
    for (const preset of ['canary', 'linear', 'exponential'] as const) {
      const { stages } = resolved({ preset, bakeMs: 7, finalBakeMs: 0 });
      const before = stages.slice(0, -1).map(({ bakeMs }) => bakeMs);
      expect(new Set(before)).toEqual(new Set([7]));
      expect(stages.at(-1)).toEqual({ ...ALL, bakeMs: 0 });
    }
  });

  it.each<Strategy>([
    { preset: 'canary' },
    { preset: 'linear' },
    { preset: 'exponential' },
    { stages: [{ percent: 100 }] },
  ])('may stay paused for a week, or as long as told: %j', (strategy) => {
    expect(resolved(strategy)).not.toHaveProperty('expireMs');
    expect(expireMsOf(resolved(strategy))).toBe(7 * 24 * 60 * MINUTE_MS);
    const shorter = resolved({ ...(strategy as object), expireMs: MINUTE_MS });
    expect(expireMsOf(shorter)).toBe(MINUTE_MS);
    expect(resolved(strategy)).not.toHaveProperty('progressMs');
    expect(progressMsOf(resolved(strategy))).toBe(60 * MINUTE_MS);
    const sooner = resolved({ ...(strategy as object), progressMs: MINUTE_MS });
    expect(progressMsOf(sooner)).toBe(MINUTE_MS);
    const doubt = { onInconclusive: 'abort', inconclusiveMs: 90 * MINUTE_MS } as const;
    const patient = resolved({ ...(strategy as object), gates: [{ kind: 'lost', ...doubt }] });
    expect(progressMsOf(patient)).toBe(90 * MINUTE_MS);
  });

  it.each<[Strategy, (number | undefined)[]]>([
    [{ preset: 'canary', percent: 2.5 }, [undefined, 2.5]],
    [{ preset: 'canary', percent: 100 }, [undefined]],
    [{ preset: 'linear', stepPercent: 50 }, [50]],
    [{ preset: 'linear', stepPercent: 40 }, [40, 80]],
    [{ preset: 'linear', stepPercent: 100 / 3 }, [33.33, 66.67]],
    [{ preset: 'linear', stepPercent: 12.5 }, [12.5, 25, 37.5, 50, 62.5, 75, 87.5]],
    [{ preset: 'linear', stepPercent: 100 }, []],
    [{ preset: 'exponential', startPercent: 5, factor: 2 }, [5, 10, 20, 40, 80]],
    [{ preset: 'exponential', factor: 10 }, [1, 10]],
    [{ preset: 'exponential', startPercent: 0.5, factor: 4.5 }, [0.5, 2.25, 10.13, 45.56]],
    [{ preset: 'exponential', startPercent: 0.001, factor: 100 }, [0.01, 0.1, 10]],
    [{ preset: 'exponential', startPercent: 100 }, []],
    [{ preset: 'exponential', startPercent: 99.999 }, []],
  ])('takes numbers of one’s own: %j', (strategy, shares) => {
    expect(sharesOf(strategy)).toEqual(shares);
  });

  it.each<Strategy>([
    { preset: 'linear', stepPercent: 0.001 },
    { preset: 'linear', stepPercent: 1 },
    { preset: 'exponential', startPercent: 0.0001, factor: 1.0001 },
    { preset: 'exponential', startPercent: 1, factor: 1.01 },
  ])('refuses more stages than a snapshot can tell: %j', (strategy) => {
    expect(resolveStrategy(strategy)).toMatchObject({
      ok: false,
      problem: { detail: expect.stringContaining('make more than 64 stages') as string },
    });
  });

  it('refuses what would not fit the snapshots that tell it', () => {
    const values = Array.from({ length: 64 }, (_, at) => `${at}`.padEnd(100, 'x'));
    const stage = { percent: 1, selector: { region: values, zone: values, host: values } };
    expect(resolveStrategy({ stages: [stage, { percent: 100 }] })).toMatchObject({
      problem: { code: 'malformed-request' },
    });
  });

  it('has 64 stages at most, the last one included', () => {
    expect(sharesOf({ preset: 'linear', stepPercent: 1.5625 })).toHaveLength(63);
    expect(resolveStrategy({ preset: 'linear', stepPercent: 1.56 }).ok).toBe(false);
  });
});

describe('resolveStrategy: stages written out', () => {
  it('bake no time unless told, and end with everybody', () => {
    const stages = [
      { count: 2, selector: { region: ['eu'] } },
      { percent: 30, bakeMs: 5 },
      { percent: 100 },
    ];
    expect(resolved({ stages })).toEqual({
      strategy: 'inline',
      stages: [
        { count: 2, selector: { region: ['eu'] }, bakeMs: 0 },
        { percent: 30, bakeMs: 5 },
        { percent: 100, bakeMs: 0 },
      ],
      gates: DEFAULT_GATES,
      preflight: DEFAULT_PREFLIGHT,
    });
    expect(resolved({ stages: [ALL], gates: [], preflight: false })).toEqual({
      ...{ strategy: 'inline', stages: [{ ...ALL, bakeMs: 0 }], gates: [] },
    });
  });
});

describe('resolveStrategy: gates', () => {
  it('have what was left out set, in the order given', () => {
    expect(gatesOf([])).toEqual([]);
    const kinds = (['restarts', 'applied', 'lost', 'rejections'] as const).map((kind) => ({
      kind,
    }));
    expect(gatesOf(kinds)).toEqual([...DEFAULT_GATES].reverse());
  });

  it('keep what was told', () => {
    const gates: readonly Gate[] = [
      { kind: 'rejections', limit: 3, onFailure: 'pause' },
      { kind: 'lost', percent: 20, onFailure: 'abort' },
      { kind: 'applied', percent: 50, withinMs: 1_000, onFailure: 'abort' },
    ];
    expect(gatesOf(gates)).toEqual(gates);
    expect(gatesOf([{ kind: 'applied', withinMs: 2_000 }])).toEqual([
      { kind: 'applied', percent: 95, withinMs: 2_000, onFailure: 'pause' },
    ]);
  });
});

describe('resolveStrategy: what is refused', () => {
  it.each(['', 'Canary', 'constructor', 'inline'])('a name that is none: %j', (name) => {
    const outcome = resolveStrategy(name);
    expect(outcome).toMatchObject({ ok: false, problem: { code: 'unknown-strategy' } });
    expect(outcome.ok ? '' : outcome.problem.detail).toBe(
      'the strategies known are: all-at-once, canary, linear, exponential; or send stages',
    );
  });

  const last = 'the last stage must have percent 100 and no selector: it reaches everybody';
  const selector = { region: ['eu'] };
  it.each<[Strategy, string]>([
    [{}, 'a strategy has a preset or stages: name one'],
    [{ gates: [], bakeMs: 1 }, 'a strategy has a preset or stages: name one'],
    [
      { preset: 'canary', stepPercent: 5 },
      'the strategy canary takes no stepPercent: leave it out',
    ],
    [{ preset: 'canary', stages: [ALL] }, 'the strategy canary takes no stages: leave it out'],
    [
      { preset: 'all-at-once', bakeMs: 5 },
      'the strategy all-at-once takes no bakeMs: leave it out',
    ],
    [{ preset: 'linear', percent: 5 }, 'the strategy linear takes no percent: leave it out'],
    [{ preset: 'linear', factor: 2 }, 'the strategy linear takes no factor: leave it out'],
    [
      { preset: 'exponential', stepPercent: 5 },
      'the strategy exponential takes no stepPercent: leave it out',
    ],
    [{ stages: [ALL], bakeMs: 1 }, 'the strategy of stages takes no bakeMs: leave it out'],
    [{ stages: [ALL], percent: 5 }, 'the strategy of stages takes no percent: leave it out'],
    [{ stages: [{}, ALL] }, 'stage 1 needs either a percent or a count'],
    [{ stages: [{ count: 1 }, { bakeMs: 3 }, ALL] }, 'stage 2 needs either a percent or a count'],
    [{ stages: [{ percent: 5, count: 1 }, ALL] }, 'stage 1 needs either a percent or a count'],
    [{ stages: [{ percent: 99 }] }, last],
    [{ stages: [ALL, { count: 1 }] }, last],
    [{ stages: [{ ...ALL, selector }] }, last],
    [{ stages: [] }, last],
    [
      { preset: 'canary', gates: [{ kind: 'lost' }, { kind: 'applied' }, { kind: 'lost' }] },
      'the gate lost is given twice: once is enough, others need other names',
    ],
    [
      { preset: 'canary', gates: [{ kind: 'rejections', percent: 3 }] },
      'the gate rejections takes no percent: leave it out',
    ],
    [
      { preset: 'canary', gates: [{ kind: 'lost', limit: 3 }] },
      'the gate lost takes no limit: leave it out',
    ],
    [
      { stages: [ALL], gates: [{ kind: 'lost', withinMs: 1_000 }] },
      'the gate lost takes no withinMs: leave it out',
    ],
    [
      { stages: [ALL], gates: [{ kind: 'applied', limit: 1 }] },
      'the gate applied takes no limit: leave it out',
    ],
  ])('%j', (strategy, detail) => {
    const outcome = resolveStrategy(strategy);
    expect(outcome).toMatchObject({ ok: false, problem: { code: 'malformed-request', detail } });
  });
});
