import type { Gate, PolicyVersion, PreflightPolicy, StrategyStage } from '@pawl/contracts';

/** A stage as it is kept: what was left out is set. */
export type Stage = StrategyStage & { readonly bakeMs: number };

/** Of a release whose preflight is under way: no stage is reached, and nobody is a candidate. */
export const PREFLIGHT_STAGE = -1;

/** The release of one definition version in stages. */
export interface StagedRelease {
  /** Unlike that of every other release of the installation. The salt of its cohorts, too. */
  readonly id: string;
  /** The definition version that candidates run in place of the stable one, and above it. */
  readonly candidateVersion: number;
  /** Name of the strategy, or `inline`. */
  readonly strategy: string;
  /** Of the release policy that has the strategy; left out where none has. */
  readonly policyVersion?: PolicyVersion;
  /** The last one reaches everybody. */
  readonly stages: readonly Stage[];
  readonly gates: readonly Gate[];
  /** How its preflight goes; left out where it has none. */
  readonly preflight?: Required<PreflightPolicy>;
  /** How long it may stay paused, milliseconds; a week when left out. */
  readonly expireMs?: number;
  /** How long it may make no progress, milliseconds; see {@link progressMsOf} when left out. */
  readonly progressMs?: number;
  /** Index of the stage that is reached, {@link PREFLIGHT_STAGE} before the first one. */
  readonly stage: number;
  /** When it began, wall time, RFC 3339, and in whose name; left out where an older version began it. */
  readonly begunAt?: string;
  readonly begunBy?: string;
  /** Why it is paused; `null` while it is not, or nobody said why. */
  readonly pausedFor: string | null;
  /** Since when it is paused, wall time, RFC 3339; left out while it is not, or nobody knows. */
  readonly pausedAt?: string;
  /** Workloads that are held back at the stable version, and why; none when left out. */
  readonly held?: Readonly<Record<string, string>>;
  /** The stage that a person approved last; none when left out. */
  readonly approved?: number;
}

const HOUR_MS = 3_600_000;
const WEEK_MS = 604_800_000;

/** How long a release may stay paused, milliseconds. */
export function expireMsOf({ expireMs = WEEK_MS }: Pick<StagedRelease, 'expireMs'>): number {
  return expireMs;
}

/**
 * How long a release may make no progress before it is paused, milliseconds: an hour unless that is said, or
 * as long as its most patient gate waits.
 */
export function progressMsOf({
  progressMs,
  gates,
}: Pick<StagedRelease, 'progressMs' | 'gates'>): number {
  if (progressMs !== undefined) return progressMs;
  const waits = gates.map(({ kind, withinMs = 0, inconclusiveMs = 0 }) =>
    Math.max(kind === 'applied' ? withinMs : 0, inconclusiveMs),
  );
  return Math.max(HOUR_MS, ...waits);
}

/** The workloads that a release holds back, sorted. */
export function workloadsHeld({ held = {} }: Pick<StagedRelease, 'held'>): readonly string[] {
  return Object.keys(held).sort();
}

/** Whether consumers are still asked, before any stage. */
export function isInPreflight({ stage }: Pick<StagedRelease, 'stage'>): boolean {
  return stage === PREFLIGHT_STAGE;
}

/** How far it is, for people. */
export function placeOf({ stage, stages }: Pick<StagedRelease, 'stage' | 'stages'>): string {
  return stage === PREFLIGHT_STAGE ? 'preflight' : `stage ${stage + 1} of ${stages.length}`;
}

/** For how long the stage that is reached is watched, milliseconds. */
export function bakeMsOf({ stage, stages }: Pick<StagedRelease, 'stage' | 'stages'>): number {
  return stages[stage]?.bakeMs ?? 0;
}

/** Whether the stage that is reached is the last one. */
export function isLastStage({ stage, stages }: StagedRelease): boolean {
  return stage === stages.length - 1;
}
