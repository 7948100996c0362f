import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { freezeViewSchema } from './freeze-view.js';
import { gateResultSchema, heldSchema } from './gate-results.js';
import { preflightProgressSchema } from './preflight-views.js';
import { policyVersionSchema } from './release-end.js';
import { strategyStageSchema } from './strategy.js';

/** What a release in stages under way has reached at one address. */
export const rolloutReleaseSchema = {
  type: 'object',
  required: ['id', 'address', 'state', 'stage', 'stages', 'candidates'],
  properties: {
    id: part.pathId,
    /** The address that is released. */
    address: part.address,
    state: { enum: ['rolling', 'paused'] },
    candidate: part.version,
    /** Name of the strategy, or `inline`. */
    strategy: { type: 'string' },
    /** Left out where the strategy is none of a release policy's. */
    policyVersion: policyVersionSchema,
    stage: part.counter,
    /** Set while it is under way: nobody is reached yet. */
    preflight: preflightProgressSchema,
    /** Set while those who have not accepted it are asked, before the next stage; numbers are of them. */
    asking: preflightProgressSchema,
    stages: { type: 'array', items: strategyStageSchema },
    /**
     * Live instances that run, or are to run, the candidate: at this address; of the address's own release,
     * at all addresses that it reaches.
     */
    candidates: {
      type: 'object',
      required: ['live', 'applied', 'rejected', 'lagging', 'lost'],
      properties: {
        live: part.counter,
        applied: part.counter,
        rejected: part.counter,
        lagging: part.counter,
        /** Slots of it whose instances fell silent, and nobody took over. */
        lost: part.counter,
      },
    },
    /** What is left of the stage's bake, milliseconds, as far as the owner has watched it. */
    bakeLeftMs: part.counter,
    /** Why it does not go on: what it waits for, or why it is paused. */
    reason: { type: 'string' },
    /** When it is aborted unless it is resumed: of one that is paused, by the clock of its owner. */
    expiresAt: part.timestamp,
    /** How its gates judged it last; those of workloads only where one is not well. */
    gates: { type: 'array', items: gateResultSchema },
    /** Workloads that are held back at the stable version, and why. */
    held: heldSchema,
    /** It does not go on just now, nor is it resumed, without an exception. */
    frozen: freezeViewSchema,
  },
} as const;
export type RolloutRelease = Infer<typeof rolloutReleaseSchema>;
