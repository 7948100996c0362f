import type { Infer } from '../messages/infer.js';
import { selectorSchema } from '../messages/snapshot.message.js';

/** A week: the longest bake. */
const MAX_BAKE_MS = 604_800_000;
const bakeMs = { type: 'integer', minimum: 0, maximum: MAX_BAKE_MS } as const;
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

export const GATE_KINDS = ['rejections', 'applied', 'lost'] as const;
export const GATE_FAILURES = ['pause', 'abort'] as const;

/**
 * What a release is judged by all the while, from what consumers report. `rejections`: fails when more
 * than `limit` live candidates reject it. `lost`: fails when more than `percent` of the candidates applied
 * it and fell silent since without saying goodbye. `applied`: `percent` of the live candidates must have
 * applied it before a stage ends, and it fails when they have not `withinMs` after it was published.
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
    /** What a failure does to the release. */
    onFailure: { enum: GATE_FAILURES },
  },
} as const;

export const STRATEGY_NAMES = ['all-at-once', 'canary', 'linear', 'exponential'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/**
 * A preset by its name; or with other numbers: `canary` takes `percent`, `linear` takes `stepPercent`,
 * `exponential` takes `startPercent` and `factor`; or stages written out.
 */
export const strategySchema = {
  type: ['string', 'object'],
  maxLength: 64,
  additionalProperties: false,
  properties: {
    preset: { enum: ['canary', 'linear', 'exponential'] },
    percent,
    stepPercent: percent,
    startPercent: percent,
    factor: { type: 'number', exclusiveMinimum: 1, maximum: 100 },
    /** Of every stage but the last. */
    bakeMs,
    finalBakeMs: bakeMs,
    stages: { type: 'array', minItems: 1, maxItems: 64, items: strategyStageSchema },
    gates: { type: 'array', maxItems: 8, items: gateSchema },
  },
} as const;

export type StrategyStage = Infer<typeof strategyStageSchema>;
export type Gate = Infer<typeof gateSchema>;
export type GateKind = (typeof GATE_KINDS)[number];
export type GateFailure = (typeof GATE_FAILURES)[number];
export type Strategy = Infer<typeof strategySchema>;
