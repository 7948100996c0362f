import { LIMITS } from '../limits.js';
import type { Infer } from './infer.js';
import * as part from './parts.js';

/** One layer that a snapshot was computed from; merge order is the order in the list. */
export const snapshotInputSchema = {
  type: 'object',
  required: ['address', 'definitionVersion', 'releaseVersion', 'loweredAt'],
  properties: {
    address: part.address,
    /** `null`: the layer is there but contributes nothing (disabled, or rolled back to nothing). */
    definitionVersion: { ...part.version, type: ['integer', 'null'] },
    /** Release version at which this layer last changed what it contributes. */
    releaseVersion: part.counter,
    /** Release version at which this layer last went down or away; `null`: never. */
    loweredAt: { ...part.version, type: ['integer', 'null'] },
    /** The definition version that candidates of this layer's release run in its place. */
    candidate: part.version,
    /** The address, at or above the snapshot's, that keeps this layer at its version; none when left out. */
    pinnedAt: part.address,
    /** Set when this layer's version was forced although it breaks a schema. */
    forced: { const: true },
  },
} as const;

/** Values that a label may have; every label named must have one of its values. */
export const selectorSchema = {
  type: 'object',
  minProperties: 1,
  maxProperties: 16,
  additionalProperties: {
    type: 'array',
    minItems: 1,
    maxItems: 64,
    items: { type: 'string', maxLength: 128 },
  },
} as const;

/** Consumers that a release has reached: those that match any of its stages. */
export const releaseStageSchema = {
  type: 'object',
  required: ['basisPoints'],
  properties: {
    /** Slots whose bucket is below; 10,000: all. */
    basisPoints: { type: 'integer', minimum: 0, maximum: 10_000 },
    selector: selectorSchema,
    /** Slots beside those, as `<workload>/<slot>`. */
    named: {
      type: 'array',
      maxItems: 10_000,
      items: { type: 'string', minLength: 3, maxLength: 145 },
    },
  },
} as const;

/** A staged release in flight, of the address itself or of one above it. */
export const snapshotReleaseSchema = {
  type: 'object',
  required: ['id', 'address', 'salt', 'stages'],
  properties: {
    id: part.pathId,
    /** What is released: the layer that is another one for its candidates. */
    address: part.address,
    salt: { type: 'string', minLength: 1, maxLength: 128 },
    /** Those reached so far, the oldest first. */
    stages: { type: 'array', maxItems: 64, items: releaseStageSchema },
    /** Workloads that are no candidates whatever the stages say; none when left out. */
    held: {
      type: 'array',
      minItems: 1,
      maxItems: LIMITS.heldWorkloads,
      items: { type: 'string', minLength: 1, maxLength: 128 },
    },
  },
} as const;

/** The content of one cohort: exactly one of `inline`, `absent`, or a content to fetch by hash. */
export const snapshotVariantSchema = {
  type: 'object',
  required: ['hash', 'size'],
  properties: {
    /** SHA-256 of the canonical bytes; of the empty string when absent. */
    hash: part.sha256,
    /** Canonical bytes. */
    size: part.counter,
    /** The effective document itself, when it is small. */
    inline: { type: 'object' },
    absent: { const: true },
  },
} as const;

export const snapshotSchema = {
  type: 'object',
  required: [
    'format',
    'installation',
    'address',
    'generation',
    'version',
    'fencingToken',
    'publishedAt',
    'inputs',
    'releases',
    'variants',
    'hash',
  ],
  properties: {
    format: { const: part.FORMAT },
    /** `<name>/<random id>`: of which installation this speaks. */
    installation: { type: 'string', minLength: 1, maxLength: 128 },
    address: part.address,
    generation: part.version,
    version: part.version,
    fencingToken: part.token,
    publishedAt: part.timestamp,
    inputs: { type: 'array', maxItems: 64, items: snapshotInputSchema },
    releases: { type: 'array', maxItems: 3, items: snapshotReleaseSchema },
    variants: { type: 'object', maxProperties: 8, additionalProperties: snapshotVariantSchema },
    /** SHA-256 of the canonical message without `fencingToken`, `publishedAt`, `hash`, `signature`. */
    hash: part.sha256,
    signature: { type: 'string', maxLength: 1024 },
  },
} as const;

export type Selector = Infer<typeof selectorSchema>;
export type SnapshotInput = Infer<typeof snapshotInputSchema>;
export type ReleaseStage = Infer<typeof releaseStageSchema>;
export type SnapshotRelease = Infer<typeof snapshotReleaseSchema>;
export type SnapshotVariant = Infer<typeof snapshotVariantSchema>;
export type Snapshot = Infer<typeof snapshotSchema>;

/** Cohort key of a consumer that takes part in no release. */
export const STABLE_COHORT = '';

/** SHA-256 of the empty string: the hash of a variant that is `absent`. */
export const ABSENT_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
