import {
  canonicalize,
  done,
  PREFLIGHT_MS,
  refused,
  STRATEGY_NAMES,
  utf8Length,
} from '@pawl/contracts';
import type { Outcome, Strategy } from '@pawl/contracts';
import { resolveGates } from './resolve-gates.js';
import type { Stage, StagedRelease } from './staged-release.js';

/** Stages and gates of a strategy, with everything that was left out. */
export type ResolvedStrategy = Pick<
  StagedRelease,
  'strategy' | 'policyVersion' | 'stages' | 'gates' | 'preflight' | 'expireMs' | 'progressMs'
>;

/** The strategy when none is named: every consumer at the same time. */
export const ALL_AT_ONCE = 'all-at-once';

const MINUTE_MS = 60_000;
const BAKE_MS = 5 * MINUTE_MS;
const FINAL_BAKE_MS = 10 * MINUTE_MS;
const CANARY_PERCENT = 10;
const STEP_PERCENT = 20;
const START_PERCENT = 1;
const FACTOR = 3;
/** As many as a snapshot can tell. */
const MAX_STAGES = 64;
/** Canonical bytes of all stages: three releases with 2,000 names each must fit a message with them. */
const MAX_BYTES = 16 * 1024;

/** How a preflight goes where nothing is said of it. */
const PREFLIGHT: NonNullable<StagedRelease['preflight']> = {
  timeoutMs: PREFLIGHT_MS.preset,
  onRejection: 'abort',
  onSilence: 'pause',
};

type Options = Exclude<Strategy, string>;
type Preset = NonNullable<Options['preset']>;

/** What all of them take. */
const SHARED = ['gates', 'preflight', 'expireMs', 'progressMs'];
/** What each preset takes. */
const TAKES: Readonly<Record<Preset | 'inline', readonly string[]>> = {
  [ALL_AT_ONCE]: ['preset', 'finalBakeMs', ...SHARED],
  canary: ['preset', 'percent', 'bakeMs', 'finalBakeMs', ...SHARED],
  linear: ['preset', 'stepPercent', 'bakeMs', 'finalBakeMs', ...SHARED],
  exponential: ['preset', 'startPercent', 'factor', 'bakeMs', 'finalBakeMs', ...SHARED],
  inline: ['stages', ...SHARED],
};

/**
 * The stages and gates that a strategy stands for; `null` for all at once, where it is a name alone: as a
 * preset it is a release in one stage, which can be watched and taken back. `unknown-strategy` for a name
 * that is none, `malformed-request` for what does not fit together.
 */
export function resolveStrategy(strategy: Strategy | undefined): Outcome<ResolvedStrategy | null> {
  if (strategy === undefined || strategy === ALL_AT_ONCE) return done(null);
  if (typeof strategy !== 'string') return resolveOptions(strategy);
  const preset = STRATEGY_NAMES.find((name) => name === strategy);
  if (preset !== undefined) return resolveOptions({ preset });
  const known = STRATEGY_NAMES.join(', ');
  return refused('unknown-strategy', `the strategies known are: ${known}; or send stages`);
}

function resolveOptions(options: Options): Outcome<ResolvedStrategy> {
  const { preset } = options;
  if (preset === undefined && options.stages === undefined) {
    return malformed('a strategy has a preset or stages: name one');
  }
  const takes = TAKES[preset ?? 'inline'];
  const extra = Object.keys(options).find((key) => !takes.includes(key));
  if (extra !== undefined) {
    return malformed(`the strategy ${preset ?? 'of stages'} takes no ${extra}: leave it out`);
  }
  const stages = preset === undefined ? inlineStages(options) : presetStages(preset, options);
  if (!stages.ok) return stages;
  const bytes = utf8Length(canonicalize(stages.value));
  if (bytes > MAX_BYTES) {
    return malformed(
      `the stages have ${bytes} bytes, at most ${MAX_BYTES} fit: every snapshot tells them`,
    );
  }
  const gates = resolveGates(options.gates, stages.value.length);
  if (!gates.ok) return gates;
  const { expireMs, progressMs } = options;
  const expires = expireMs === undefined ? {} : { expireMs };
  const deadline = progressMs === undefined ? {} : { progressMs };
  const resolved = { strategy: preset ?? 'inline', stages: stages.value, gates: gates.value };
  return done({ ...resolved, ...resolvePreflight(options.preflight), ...expires, ...deadline });
}

function inlineStages({ stages = [] }: Options): Outcome<readonly Stage[]> {
  for (const [at, { percent, count }] of stages.entries()) {
    if ((percent === undefined) === (count === undefined)) {
      return malformed(`stage ${at + 1} needs either a percent or a count`);
    }
  }
  const last = stages.at(-1);
  if (last?.percent !== 100 || last.selector !== undefined) {
    return malformed('the last stage must have percent 100 and no selector: it reaches everybody');
  }
  return done(stages.map((stage) => ({ ...stage, bakeMs: stage.bakeMs ?? 0 })));
}

function presetStages(preset: Preset, options: Options): Outcome<readonly Stage[]> {
  const bakeMs = options.bakeMs ?? BAKE_MS;
  const last: Stage = { percent: 100, bakeMs: options.finalBakeMs ?? FINAL_BAKE_MS };
  const shares = sharesOf(preset, options);
  const before = shares.map((percent): Stage => ({ percent, bakeMs }));
  const first: readonly Stage[] = preset === 'canary' ? [{ count: 1, bakeMs }] : [];
  const stages = [...first, ...before, last];
  if (stages.length <= MAX_STAGES) return done(stages);
  return malformed(`these steps make more than ${MAX_STAGES} stages: take larger ones`);
}

/** The shares before the last stage, in per cent; no more of them than are too many. */
function sharesOf(preset: Preset, options: Options): number[] {
  if (preset === ALL_AT_ONCE) return [];
  if (preset === 'canary') {
    const share = round(options.percent ?? CANARY_PERCENT);
    return share < 100 ? [share] : [];
  }
  const { stepPercent = STEP_PERCENT, startPercent = START_PERCENT, factor = FACTOR } = options;
  const isLinear = preset === 'linear';
  const shares: number[] = [];
  for (let share = isLinear ? stepPercent : startPercent; round(share) < 100;) {
    shares.push(round(share));
    if (shares.length > MAX_STAGES) break;
    share = isLinear ? stepPercent * (shares.length + 1) : share * factor;
  }
  return shares;
}

/** To hundredths of a per cent: what a bucket is. */
function round(percent: number): number {
  return Math.max(0.01, Math.round(percent * 100) / 100);
}

function resolvePreflight(preflight: Options['preflight']): Pick<StagedRelease, 'preflight'> {
  if (preflight === false) return {};
  return { preflight: { ...PREFLIGHT, ...(preflight === true ? {} : preflight) } };
}

function malformed(detail: string): Outcome<never> {
  return refused('malformed-request', detail);
}
