import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';

/** How a release in stages ended. `completed`: everybody has its version; with all others it was dropped. */
export const RELEASE_OUTCOMES = [
  'completed',
  'aborted',
  /** Aborted since it was paused for longer than it may be. */
  'expired',
  'rolled-back',
  /** Another version of the address was promoted. */
  'superseded',
  /** The promote of an address above named it. */
  'pre-empted',
  'disabled',
  'blocked',
] as const;
export type ReleaseOutcome = (typeof RELEASE_OUTCOMES)[number];

/**
 * The release policy that a named strategy was taken from: of those that say something of that name the
 * lowest on the way to what is released.
 */
export const policyVersionSchema = {
  type: 'object',
  required: ['address', 'version'],
  properties: { address: part.address, version: part.version },
} as const;
export type PolicyVersion = Infer<typeof policyVersionSchema>;

/** What is told of a release in stages from when it begins; left out of one that an older version began. */
export const begunProperties = {
  /** Left out where the strategy was none of a release policy's. */
  policyVersion: policyVersionSchema,
  begunAt: part.timestamp,
  begunBy: { type: 'string' },
} as const;

/** What a release in stages was when it ended. */
export const releaseEndProperties = {
  outcome: { enum: RELEASE_OUTCOMES },
  /** Name of the strategy, or `inline`. */
  strategy: { type: 'string' },
  /** The definition version that was being released. */
  candidate: part.version,
  /** That which the others had meanwhile. */
  stableVersion: { ...part.version, type: ['integer', 'null'] },
  /** The stage that was reached, 0 is the first; left out: none was, it ended in its preflight. */
  stage: part.counter,
  /** How many stages there were. */
  stages: part.version,
  ...begunProperties,
} as const;
export const releaseEndRequired = [
  'outcome',
  'strategy',
  'candidate',
  'stableVersion',
  'stages',
] as const;

/** Of the line of history with which a release in stages ended. */
export const releaseEndSchema = {
  type: 'object',
  required: releaseEndRequired,
  properties: releaseEndProperties,
} as const;
export type ReleaseEnd = Infer<typeof releaseEndSchema>;
