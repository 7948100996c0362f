import type { Infer } from '../messages/infer.js';
import { selectorSchema } from '../messages/snapshot.message.js';
import { PREFLIGHT_MS } from './preflight-views.js';

/** A week: the longest bake. */
const MAX_BAKE_MS = 604_800_000;
/** 30 days: the longest that a release may stay paused. */
const MAX_EXPIRE_MS = 2_592_000_000;
const bakeMs = { type: 'integer', minimum: 0, maximum: MAX_BAKE_MS } as const;
/** How long a release may stay paused before it is aborted, milliseconds; a week when left out. */
export const expireMsSchema = {
  type: 'integer',
  minimum: 60_000,
  maximum: MAX_EXPIRE_MS,
} as const;
/** How long a release may make no progress before it is paused, milliseconds; an hour when left out. */
export const progressMsSchema = {
  type: 'integer',
  minimum: 1_000,
  maximum: MAX_EXPIRE_MS,
} as const;
/** Of one strategy. */
const MAX_GATES = 16;
const percent = { type: 'number', exclusiveMinimum: 0, maximum: 100 } as const;

/**
 * Whom a stage reaches of each workload that the change reaches: `percent` of its live instances, or
 * `count` of them, and of those whose labels match where it has a selector. At least one, and before
 * the last stage never all of a workload that has several. The last stage reaches everybody.
 */
export const strategyStageSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    percent,
    count: { type: 'integer', minimum: 1, maximum: 10_000 },
    selector: selectorSchema,
    /** How long it is watched before the next stage begins, milliseconds; 0 when left out. */
    bakeMs,
  },
} as const;

export const GATE_KINDS = [
  'rejections',
  'lost',
  'applied',
  'restarts',
  'errors',
  'latency',
  'prometheus',
  'webhook',
  'approval',
] as const;
export const GATE_FAILURES = ['pause', 'abort', 'hold'] as const;
export const GATE_DOUBTS = ['wait', 'pause', 'abort'] as const;

/** A day: the longest pause between two judgements. */
const MAX_INTERVAL_MS = 86_400_000;
const ratio = { type: 'number', exclusiveMinimum: 0, maximum: 1_000_000 } as const;
const query = { type: 'string', minLength: 1, maxLength: 4_096 } as const;

/**
 * What a release is judged by all the while. From what consumers report: `rejections`, more than `limit`
 * live candidates reject it; `lost`, more than `percent` of the candidates applied it and fell silent
 * without saying goodbye; `applied`, fewer than `percent` of the live candidates have applied it,
 * `withinMs` after they were to; `restarts`, more than `limit` candidates ended without a goodbye twice
 * `withinMs` of each other, and that is not so of the rest as well; `errors` and `latency`, the requests that they tell of fail, or take, more
 * than a limit or than those of the rest, over all and per workload. From elsewhere: `prometheus`, a
 * query's value is out of bounds; `webhook`, somebody else's judgement; `approval`, a person's go-ahead.
 * Which option goes with which kind is in docs/releases.md; the others are refused by name.
 */
export const gateSchema = {
  type: 'object',
  required: ['kind'],
  additionalProperties: false,
  properties: {
    kind: { enum: GATE_KINDS },
    limit: { type: 'integer', minimum: 0, maximum: 1_000_000 },
    percent,
    withinMs: { type: 'integer', minimum: 1_000, maximum: MAX_BAKE_MS },
    /** Of the candidates' requests, those that may fail. */
    maxPercent: { type: 'number', minimum: 0, maximum: 100 },
    /** Of the rest's, or the baseline's, value: how many times it the candidates' may be. */
    maxRatio: ratio,
    /** With fewer requests in the window nothing is known. */
    minRequests: { type: 'integer', minimum: 1, maximum: 1_000_000_000 },
    windowMs: { type: 'integer', minimum: 10_000, maximum: 600_000 },
    quantile: { type: 'number', minimum: 0.5, maximum: 0.99 },
    maxMs: { type: 'number', exclusiveMinimum: 0, maximum: 86_400_000 },
    /** Tells gates of the kinds `prometheus` and `webhook` apart. */
    name: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' },
    query,
    baselineQuery: query,
    min: { type: 'number' },
    max: { type: 'number' },
    url: { type: 'string', maxLength: 2_048, pattern: '^https?://[^\\s]+$' },
    timeoutMs: { type: 'integer', minimum: 100, maximum: 60_000 },
    /** Stages that need a go-ahead, 0 is the first; each of them when left out. */
    stages: {
      type: 'array',
      minItems: 1,
      maxItems: 64,
      items: { type: 'integer', minimum: 0, maximum: 63 },
    },
    /** What a failure does to the release; `hold`: to the workload that fails. */
    onFailure: { enum: GATE_FAILURES },
    /** What is done when nothing is known for `inconclusiveMs`. */
    onInconclusive: { enum: GATE_DOUBTS },
    inconclusiveMs: { type: 'integer', minimum: 1_000, maximum: MAX_BAKE_MS },
    /** Pause between two judgements. */
    intervalMs: { type: 'integer', minimum: 1_000, maximum: MAX_INTERVAL_MS },
    /** Of each stage, before the first judgement. */
    initialDelayMs: { type: 'integer', minimum: 0, maximum: MAX_BAKE_MS },
    /** Failed judgements in a row that make a failure. */
    failureLimit: { type: 'integer', minimum: 1, maximum: 1_000 },
    /** Judged and shown, and stops nothing. */
    dryRun: { const: true },
  },
} as const;

export const PREFLIGHT_REJECTED = ['abort', 'pause'] as const;
export const PREFLIGHT_SILENT = ['pause', 'proceed'] as const;

/**
 * How the preflight goes that a release in stages begins with: how long a round of it may take, what a
 * rejection does to the release, and what it does when somebody is silent, or cannot say, to the end.
 */
export const preflightPolicySchema = {
  type: ['object', 'boolean'],
  additionalProperties: false,
  properties: {
    timeoutMs: { type: 'integer', minimum: PREFLIGHT_MS.least, maximum: PREFLIGHT_MS.most },
    onRejection: { enum: PREFLIGHT_REJECTED },
    onSilence: { enum: PREFLIGHT_SILENT },
  },
} as const;

export const STRATEGY_NAMES = ['all-at-once', 'canary', 'linear', 'exponential'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/**
 * A preset by its name; or with other numbers: `canary` takes `percent`, `linear` takes `stepPercent`,
 * `exponential` takes `startPercent` and `factor`; or stages written out. `all-at-once` as a name alone has
 * no stages; as a preset it is one stage, everybody, with a preflight, gates and the final bake.
 */
export const strategySchema = {
  type: ['string', 'object'],
  maxLength: 64,
  additionalProperties: false,
  properties: {
    preset: { enum: STRATEGY_NAMES },
    percent,
    stepPercent: percent,
    startPercent: percent,
    factor: { type: 'number', exclusiveMinimum: 1, maximum: 100 },
    /** Of every stage but the last. */
    bakeMs,
    finalBakeMs: bakeMs,
    stages: { type: 'array', minItems: 1, maxItems: 64, items: strategyStageSchema },
    gates: { type: 'array', maxItems: MAX_GATES, items: gateSchema },
    /** `false`: without one. */
    preflight: preflightPolicySchema,
    expireMs: expireMsSchema,
    progressMs: progressMsSchema,
  },
} as const;

export type StrategyStage = Infer<typeof strategyStageSchema>;
export type Gate = Infer<typeof gateSchema>;
/** A gate that somebody else answers. */
export type ExternalGate = Gate & {
  readonly kind: 'prometheus' | 'webhook';
  readonly name: string;
};
export type GateKind = (typeof GATE_KINDS)[number];
export type GateFailure = (typeof GATE_FAILURES)[number];
export type GateDoubt = (typeof GATE_DOUBTS)[number];
export type PreflightPolicy = Exclude<Infer<typeof preflightPolicySchema>, boolean>;
export type Strategy = Infer<typeof strategySchema>;
