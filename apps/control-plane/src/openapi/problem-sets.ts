import type { ProblemCode } from '@pawl/contracts';

/** Whatever is asked. */
export const OF_ANY_REQUEST: readonly ProblemCode[] = [
  'malformed-request',
  'method-not-allowed',
  'request-timeout',
  'expectation-failed',
  'misdirected-request',
  'internal',
];

const OF_ADDRESSES: readonly ProblemCode[] = ['malformed-address', 'not-found'];

/** Reads of an address, or of all. */
export const OF_READS: readonly ProblemCode[] = [
  ...OF_ANY_REQUEST,
  ...OF_ADDRESSES,
  'version-unknown',
  'no-owner',
  'truth-unavailable',
];

/** Reads of what has versions: with `If-Match` and `If-None-Match`. */
export const OF_VERSIONED_READS: readonly ProblemCode[] = [
  ...OF_READS,
  'malformed-precondition',
  'version-mismatch',
];

/** Any request with a JSON body, whatever it is for. */
export const OF_BODIES: readonly ProblemCode[] = [
  ...OF_READS,
  'forbidden-origin',
  'malformed-json',
  'duplicate-key',
  'forbidden-key',
  'lone-surrogate',
  'number-not-representable',
  'too-large',
  'too-deep',
  'wrong-content-type',
  'wrong-content-encoding',
  'too-many-requests',
];

const OF_VALIDATION: readonly ProblemCode[] = ['schema-violation', 'validation-timeout'];

/** Commands, with or without a body. */
export const OF_COMMANDS: readonly ProblemCode[] = [
  ...OF_READS,
  ...OF_VALIDATION,
  'forbidden-origin',
  'malformed-precondition',
  'idempotency-key-reused',
  'still-running',
  'version-mismatch',
  'too-large',
  'too-deep',
  'too-many-requests',
  'outcome-unknown',
  'truth-behind',
];

/** Accepting a restore. */
export const OF_RESTORES: readonly ProblemCode[] = [
  ...OF_BODIES,
  'outcome-unknown',
  'restore-changed',
];

/** Commands that write the next definition version. */
export const OF_WRITES: readonly ProblemCode[] = [...OF_COMMANDS, 'precondition-required'];

export const OF_DOCUMENT_WRITES: readonly ProblemCode[] = [
  ...OF_WRITES,
  ...OF_BODIES,
  'unknown-directive',
  'not-an-object',
];

export const OF_PATCHES: readonly ProblemCode[] = [...OF_DOCUMENT_WRITES, 'patch-failed'];

export const OF_SCHEMA_WRITES: readonly ProblemCode[] = [
  ...OF_WRITES,
  ...OF_BODIES,
  'schema-invalid',
  'schema-draft',
  'schema-reference',
];

export const OF_MERGES: readonly ProblemCode[] = [
  ...OF_DOCUMENT_WRITES,
  ...OF_SCHEMA_WRITES,
  'merge-conflict',
  'merge-base-required',
];

/** Asking what would come of a promotion. */
export const OF_PREFLIGHTS: readonly ProblemCode[] = [
  ...OF_BODIES,
  ...OF_VALIDATION,
  'invalid-transition',
  'use-rollback',
  'version-blocked',
];

export const OF_RELEASES: readonly ProblemCode[] = [
  ...OF_COMMANDS,
  ...OF_BODIES,
  'unknown-action',
  'unknown-strategy',
  'invalid-transition',
  'use-rollback',
  'use-promote',
  'release-in-flight',
  'release-queued',
  'too-many-releases',
  'frozen',
  'strategy-required',
  'version-blocked',
];
