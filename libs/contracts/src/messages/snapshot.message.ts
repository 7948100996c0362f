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
    /** Set when this layer's version was forced although it breaks a schema. */
    forced: { const: true },
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
    releases: { type: 'array', maxItems: 3, items: { type: 'object' } },
    variants: { type: 'object', maxProperties: 8, additionalProperties: snapshotVariantSchema },
    /** SHA-256 of the canonical message without `fencingToken`, `publishedAt`, `hash`, `signature`. */
    hash: part.sha256,
    signature: { type: 'string', maxLength: 1024 },
  },
} as const;

export type SnapshotInput = Infer<typeof snapshotInputSchema>;
export type SnapshotVariant = Infer<typeof snapshotVariantSchema>;
export type Snapshot = Infer<typeof snapshotSchema>;

/** Cohort key of a consumer that takes part in no release. */
export const STABLE_COHORT = '';

/** SHA-256 of the empty string: the hash of a variant that is `absent`. */
export const ABSENT_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
