import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { strategySchema, strategyStageSchema } from './strategy.js';
import { problemErrorSchema } from './problem-error.js';
import { abortedSchema, releaseRequestSchema } from './views.js';

/** The promote whose stages are asked for; as that of the request of a release, and refused as that is. */
export const previewPromoteSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    targetVersion: part.version,
    expectedReleaseVersion: part.counter,
    strategy: strategySchema,
    /** `queue`, `requeue` and a time ask for the stages that it will have once it begins. */
    conflict: releaseRequestSchema.properties.conflict,
    at: releaseRequestSchema.properties.at,
    preempt: releaseRequestSchema.properties.preempt,
    reason: { type: 'string', maxLength: 1024 },
    freezeException: { type: 'string', maxLength: 1024 },
  },
} as const;
export type PreviewPromote = Infer<typeof previewPromoteSchema>;

/** Whom a promote has reached once it has come to a stage, of those who are live now. */
export const previewStageSchema = {
  type: 'object',
  required: ['stage', 'bakeMs', 'instances', 'added', 'byWorkload', 'addresses'],
  properties: {
    ...strategyStageSchema.properties,
    bakeMs: part.counter,
    /** Index of the stage; 0 is the first. */
    stage: part.counter,
    /** Live instances that it has reached, each counted once. */
    instances: part.counter,
    /** Of those at most 100 that this stage adds. */
    added: {
      type: 'array',
      items: {
        type: 'object',
        required: ['workload', 'consumerId'],
        properties: { workload: { type: 'string' }, consumerId: { type: 'string' } },
      },
    },
    /** At most 100 workloads, those with most reached instances first. */
    byWorkload: {
      type: 'array',
      items: {
        type: 'object',
        required: ['workload', 'instances', 'of'],
        properties: { workload: { type: 'string' }, instances: part.counter, of: part.counter },
      },
    },
    /** At most 100 addresses with reached instances, those with most first. */
    addresses: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'instances'],
        properties: { address: part.address, instances: part.counter },
      },
    },
  },
} as const;
export type PreviewStage = Infer<typeof previewStageSchema>;

export const previewRequestSchema = {
  type: 'object',
  additionalProperties: false,
  /** Document and schema are judged by the preview's answer, whatever they are. */
  properties: { document: {}, schema: {}, promote: previewPromoteSchema },
} as const;
export type PreviewRequest = Infer<typeof previewRequestSchema>;

export const previewSchema = {
  type: 'object',
  required: ['valid', 'errors', 'patch', 'addresses'],
  properties: {
    valid: { type: 'boolean' },
    errors: { type: 'array', items: problemErrorSchema },
    /** RFC 6902, from what is effective at the address now to what would be. */
    patch: { type: 'array', items: { type: 'object' } },
    addresses: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'changed', 'valid', 'consumers'],
        properties: {
          address: part.address,
          changed: { type: 'boolean' },
          valid: { type: 'boolean' },
          consumers: part.counter,
        },
      },
    },
    /** Known addresses below that it does not reach, since they stay at a version that is pinned. */
    pinned: part.counter,
    /** Of the promote that was asked about; left out where it would be refused or change nothing. */
    stages: { type: 'array', items: previewStageSchema },
    /** Name of the strategy that it would go by; left out for all at once. */
    strategy: { type: 'string' },
    /** The releases in stages below that the promote would end. */
    aborted: { type: 'array', items: abortedSchema },
  },
} as const;
export type PreviewView = Infer<typeof previewSchema>;
