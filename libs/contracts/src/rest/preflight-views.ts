import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';

/** How long a consumer is waited for, unless the request says otherwise, and at most; milliseconds. */
export const PREFLIGHT_MS = { preset: 3_000, least: 200, most: 30_000 } as const;
/**
 * A preflight takes so many times that at most: some are asked later than others, and while answers
 * come it waits on.
 */
export const PREFLIGHT_LASTS = 2;

export const preflightRequestSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    /** The newest version unless told. */
    targetVersion: part.version,
    /** Only consumers of this workload are asked. */
    workload: part.pathId,
    /** How long a consumer has to answer, from when it is asked. */
    timeoutMs: { type: 'integer', minimum: PREFLIGHT_MS.least, maximum: PREFLIGHT_MS.most },
  },
} as const;
export type PreflightRequest = Infer<typeof preflightRequestSchema>;

/** Consumers by what they said last; each has one of these answers. */
const counts = {
  accepted: part.counter,
  rejected: part.counter,
  /** It answered that it does not know: no content, no time, or a `validate` that did not end. */
  cannotSay: part.counter,
  /** It did not answer. */
  silent: part.counter,
} as const;

const consumer = {
  address: part.address,
  workload: { type: 'string' },
  consumerId: { type: 'string' },
  incarnation: { type: 'string' },
  build: { type: 'string' },
} as const;

export const PREFLIGHT_STATES = ['asking', 'waiting'] as const;

/**
 * A preflight of a release in stages, before its first stage or a later one, while it is under way: consumers are asked, or it
 * waits to ask again. Numbers are of what was heard so far, and left out where it is not known.
 */
export const preflightProgressSchema = {
  type: 'object',
  required: ['state'],
  properties: { state: { enum: PREFLIGHT_STATES }, asked: part.counter, ...counts },
} as const;
export type PreflightProgress = Infer<typeof preflightProgressSchema>;

/**
 * What the consumers that a release would reach make of it. One that has several of the addresses open
 * is counted once, by the worst of its answers: rejected, silent, cannot say, accepted.
 */
export const preflightSchema = {
  type: 'object',
  required: [
    'id',
    'address',
    'version',
    'addresses',
    'consumers',
    'valid',
    'byBuild',
    'rejections',
    'reasons',
    'unsure',
  ],
  properties: {
    id: part.pathId,
    address: part.address,
    /** The definition version that would be released. */
    version: part.version,
    /** Those that the release reaches: what is read there, and how many consumers were asked. */
    addresses: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'changed', 'consumers'],
        properties: {
          address: part.address,
          changed: { type: 'boolean' },
          consumers: part.counter,
        },
      },
    },
    consumers: {
      type: 'object',
      required: ['asked', 'accepted', 'rejected', 'cannotSay', 'silent'],
      properties: { asked: part.counter, ...counts },
    },
    /** Everybody who was asked accepted, and what they accepted is still what would be read. */
    valid: { type: 'boolean' },
    /** Something else that is read here was released meanwhile: the answers say nothing. */
    void: { const: true },
    byBuild: {
      type: 'array',
      items: {
        type: 'object',
        required: ['workload', 'accepted', 'rejected', 'cannotSay', 'silent'],
        properties: {
          workload: { type: 'string' },
          /** Left out for consumers that do not name theirs. */
          build: { type: 'string' },
          /** The label `zone`. */
          zone: { type: 'string' },
          ...counts,
        },
      },
    },
    /** At most 1,000. */
    rejections: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'workload', 'consumerId', 'incarnation', 'reason'],
        properties: { ...consumer, pointer: { type: 'string' }, reason: { type: 'string' } },
      },
    },
    /** Of all rejections, the most frequent reasons. */
    reasons: {
      type: 'array',
      items: {
        type: 'object',
        required: ['reason', 'count'],
        properties: { reason: { type: 'string' }, count: part.counter },
      },
    },
    /** Who cannot say, and who is silent; at most 1,000. */
    unsure: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'workload', 'consumerId', 'incarnation', 'answer'],
        properties: {
          ...consumer,
          answer: { enum: ['cannot-say', 'silent'] },
          reason: { type: 'string' },
        },
      },
    },
  },
} as const;
export type PreflightView = Infer<typeof preflightSchema>;
