import { LIMITS } from '../limits.js';
import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { GATE_KINDS } from './strategy.js';

/** `inconclusive`: nothing is known, or not yet. */
export const GATE_OUTCOMES = ['pass', 'fail', 'inconclusive'] as const;
export type GateOutcome = (typeof GATE_OUTCOMES)[number];

/** How a gate judged a release last: over all, or one workload that it judges alone. */
export const gateResultSchema = {
  type: 'object',
  required: ['kind', 'outcome', 'why', 'at', 'failures'],
  properties: {
    kind: { enum: GATE_KINDS },
    /** Of a kind that there may be several of. */
    name: { type: 'string' },
    outcome: { enum: GATE_OUTCOMES },
    /** Of the candidates, or as it was answered: a number of instances, per cent, or milliseconds. */
    value: { type: 'number' },
    /** The same of those that are no candidates. */
    baseline: { type: 'number' },
    /** Above it, or below where that is asked for, the gate fails. */
    limit: { type: 'number' },
    why: { type: 'string' },
    /** When it was judged, by the owner's clock. */
    at: part.timestamp,
    /** It stops nothing. */
    dryRun: { const: true },
    /** Failed judgements in a row, this one included. */
    failures: part.counter,
    workload: { type: 'string' },
  },
} as const;
export type GateResult = Infer<typeof gateResultSchema>;

/** Gates, and workloads, that are listed of one release. */
export const MAX_GATE_RESULTS = 100;

/** Workloads that a release leaves out, and why. */
export const heldSchema = {
  type: 'object',
  maxProperties: LIMITS.heldWorkloads,
  additionalProperties: { type: 'string', minLength: 1, maxLength: LIMITS.heldReasonLength },
} as const;
