import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';

const seenVersion = {
  type: 'object',
  required: ['generation', 'version'],
  properties: { generation: part.version, version: part.counter },
} as const;

/** A snapshot that JetStream holds, and the one that PostgreSQL has instead. */
export const behindAddressSchema = {
  type: 'object',
  required: ['address', 'held', 'has'],
  properties: { address: part.address, held: seenVersion, has: seenVersion },
} as const;
export type BehindAddress = Infer<typeof behindAddressSchema>;

const markProperties = {
  generation: part.version,
  /** The highest under which the shard was served; decimal. */
  fencingToken: { type: 'string' },
  /** Transactions that changed the shard. */
  commits: part.counter,
} as const;

/** Why a shard is read-only: what was seen elsewhere, and PostgreSQL does not have. */
export const truthBehindSchema = {
  type: 'object',
  required: ['since', 'addresses'],
  properties: {
    since: part.timestamp,
    /** What the metadata quorum, or the owner before, remembers. */
    remembered: {
      type: 'object',
      required: ['generation', 'fencingToken', 'commits', 'has'],
      properties: {
        ...markProperties,
        has: {
          type: 'object',
          required: ['generation', 'fencingToken', 'commits'],
          properties: markProperties,
        },
      },
    },
    /** What JetStream holds; at most 100. */
    addresses: { type: 'array', items: behindAddressSchema },
  },
} as const;
export type TruthBehind = Infer<typeof truthBehindSchema>;

/** Whether PostgreSQL lacks something that was seen, shard by shard. */
export const restoreSchema = {
  type: 'object',
  required: ['generation', 'shards'],
  properties: {
    generation: part.version,
    /** Read-only shards. */
    shards: {
      type: 'array',
      items: {
        type: 'object',
        required: ['shard', 'behind'],
        properties: { shard: part.counter, behind: truthBehindSchema },
      },
    },
  },
} as const;
export type RestoreView = Infer<typeof restoreSchema>;

export const acceptRestoreRequestSchema = {
  type: 'object',
  required: ['reason', 'generation', 'shards'],
  additionalProperties: false,
  properties: {
    reason: { type: 'string', minLength: 1, maxLength: 1024 },
    /** As `GET /v1/restore` told it: another by now is 409. */
    generation: part.version,
    /** The read-only shards, as `GET /v1/restore` told them. */
    shards: { type: 'array', items: part.counter },
  },
} as const;
export type AcceptRestoreRequest = Infer<typeof acceptRestoreRequestSchema>;

export const acceptedRestoreSchema = {
  type: 'object',
  required: ['accepted', 'generation'],
  properties: {
    /** False: nothing was behind, and nothing was changed. */
    accepted: { type: 'boolean' },
    generation: part.version,
  },
} as const;
export type AcceptedRestoreView = Infer<typeof acceptedRestoreSchema>;
