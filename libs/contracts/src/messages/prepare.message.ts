import type { Infer } from './infer.js';
import * as part from './parts.js';

/** Consumers that one message can name; more of them are told by what they have in common. */
export const PREPARE_NAMES = 1_000;
/** Kinds of consumers that one message can name. */
export const PREPARE_KINDS = 100;

/**
 * Asks those who have an address open what they would make of a document that they may get: they
 * fetch it, run their own `validate`, and vote. Nothing that they run or keep changes.
 */
export const prepareSchema = {
  type: 'object',
  required: [
    'format',
    'installation',
    'id',
    'address',
    'fencingToken',
    'version',
    'hash',
    'size',
    'deadlineMs',
  ],
  properties: {
    format: { const: part.FORMAT },
    installation: { type: 'string', minLength: 1, maxLength: 128 },
    /** Of the preflight; the same for all addresses that it reaches. */
    id: part.pathId,
    address: part.address,
    /** A message with a lower token than one seen is ignored. */
    fencingToken: part.token,
    /** Of the snapshot that would be published next. */
    version: part.version,
    /** As in the variant of a snapshot: exactly one of `inline`, `absent`, or a content to fetch. */
    hash: part.sha256,
    size: part.counter,
    inline: { type: 'object' },
    absent: { const: true },
    /** How long fetching and validating may take, milliseconds. */
    deadlineMs: { type: 'integer', minimum: 1, maximum: 600_000 },
    /** Only consumers of this workload are asked. */
    workload: part.pathId,
    /** Only these incarnations are asked. */
    only: { type: 'array', maxItems: PREPARE_NAMES, items: part.incarnation },
    /** Only who runs as one of these cohorts is asked: the others would read something else. */
    cohorts: {
      type: 'array',
      maxItems: 8,
      items: { type: 'string', maxLength: part.cohort.maxLength },
    },
    /** Only these workloads in these builds are asked; without `build`: of no build that is known. */
    kinds: {
      type: 'array',
      maxItems: PREPARE_KINDS,
      items: {
        type: 'object',
        required: ['workload'],
        properties: { workload: part.pathId, build: { type: 'string', maxLength: 128 } },
      },
    },
  },
} as const;

export type Prepare = Infer<typeof prepareSchema>;
