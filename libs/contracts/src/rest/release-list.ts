import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { freezeViewSchema } from './freeze-view.js';
import { gateResultSchema, heldSchema } from './gate-results.js';
import { queuedViewSchema } from './queued-view.js';
import { preflightProgressSchema } from './preflight-views.js';
import { begunProperties } from './release-end.js';

export const STAGED_STATES = ['rolling', 'paused'] as const;
/** How a release in stages that is under way stands. */
export type StagedState = (typeof STAGED_STATES)[number];

/** What releases are listed by that are there: how they stand, or that they begin later. */
export const PRESENT_STATES = [...STAGED_STATES, 'queued'] as const;
export type PresentState = (typeof PRESENT_STATES)[number];

/** What releases are listed by. Those that have ended are listed where they are asked for only. */
export const RELEASE_LIST_STATES = [...PRESENT_STATES, 'ended'] as const;
export type ReleaseListState = (typeof RELEASE_LIST_STATES)[number];

const itemProperties = {
  id: part.pathId,
  /** The address that is released. */
  address: part.address,
  state: { enum: STAGED_STATES },
  /** Name of the strategy, or `inline`. */
  strategy: { type: 'string' },
  ...begunProperties,
  /** The definition version that is being released. */
  candidate: part.version,
  stableVersion: { ...part.version, type: ['integer', 'null'] },
  /** The stage that is reached; 0 is the first. */
  stage: part.counter,
  /** Set while it is under way: nobody is reached yet. */
  preflight: preflightProgressSchema,
  /** How many stages there are. */
  stages: part.version,
  releaseVersion: part.counter,
  /** Why it is paused; of one that is summed up also what it waits for. */
  reason: { type: 'string' },
} as const;
const itemRequired = [
  ...['id', 'address', 'state', 'strategy', 'candidate'],
  ...['stableVersion', 'stage', 'stages', 'releaseVersion'],
] as const;

/**
 * One release in stages under way, with what is queued behind it; or, in the state `queued`, a promote that
 * begins later where nothing is under way: stages and candidate are then those that it will have.
 */
export const releaseItemSchema = {
  type: 'object',
  required: itemRequired,
  properties: {
    ...itemProperties,
    state: { enum: PRESENT_STATES },
    queued: queuedViewSchema,
  },
} as const;

const countProperties = {
  live: part.counter,
  applied: part.counter,
  rejected: part.counter,
  lagging: part.counter,
  /** Slots whose instances fell silent since it began, or after they had applied it, and nobody took over. */
  lost: part.counter,
} as const;
const countRequired = ['live', 'applied', 'rejected', 'lagging', 'lost'] as const;

/** Instances that run, or are to run, the candidate; one counts at each address that it has open. */
export const candidateCountsSchema = {
  type: 'object',
  required: countRequired,
  properties: countProperties,
} as const;

/** One release in stages under way, with what it has reached over every address below its own. */
export const releaseSummarySchema = {
  type: 'object',
  required: [...itemRequired, 'candidates', 'addresses', 'byWorkload', 'rejections'],
  properties: {
    ...itemProperties,
    candidates: candidateCountsSchema,
    /** The addresses that it reaches, those with rejections and losses first, at most 1,000. */
    addresses: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'candidates'],
        properties: { address: part.address, candidates: candidateCountsSchema },
      },
    },
    /** The workloads that it has reached, in the same order, at most 1,000. */
    byWorkload: {
      type: 'array',
      items: {
        type: 'object',
        required: ['workload', ...countRequired],
        properties: { workload: { type: 'string' }, ...countProperties },
      },
    },
    /** There are more addresses, or workloads, than are listed; all are counted. */
    more: { const: true },
    /** The reasons given most often. */
    rejections: {
      type: 'array',
      items: {
        type: 'object',
        required: ['reason', 'count'],
        properties: { reason: { type: 'string' }, count: part.counter },
      },
    },
    /** Set while those who have not accepted it are asked, before the next stage; numbers are of them. */
    asking: preflightProgressSchema,
    /** What is left of the stage's bake, milliseconds, as far as the owner has watched it. */
    bakeLeftMs: part.counter,
    /** How its gates judged it last; those of workloads only where one is not well. */
    gates: { type: 'array', items: gateResultSchema },
    /** Workloads that are held back at the stable version, and why. */
    held: heldSchema,
    /** It does not go on just now, nor is it resumed, without an exception. */
    frozen: freezeViewSchema,
  },
} as const;

export type ReleaseItem = Infer<typeof releaseItemSchema>;
export type CandidateCounts = Infer<typeof candidateCountsSchema>;
export type ReleaseSummary = Infer<typeof releaseSummarySchema>;
