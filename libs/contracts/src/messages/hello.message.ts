import { LATENCY_BUCKETS } from '../health/latency-buckets.js';
import type { Infer } from './infer.js';
import * as part from './parts.js';

/**
 * What a service reported of itself while it ran one snapshot as one cohort. Counts only grow, so that a
 * heartbeat that is lost or comes twice changes nothing.
 */
export const helloHealthSchema = {
  type: 'object',
  required: ['span', 'generation', 'version', 'requests', 'errors', 'latency'],
  properties: {
    /** Which application in this process, 1 the first: every other one starts to count anew. */
    span: part.version,
    generation: part.version,
    version: part.version,
    /** As which cohort it ran; left out for the stable one. */
    cohort: part.cohort,
    requests: part.counter,
    errors: part.counter,
    /** Requests by latency, see `LATENCY_BOUNDS_MS`; zeros at the end are left out. */
    latency: { type: 'array', maxItems: LATENCY_BUCKETS, items: part.counter },
  },
} as const;

/** Spans that a heartbeat tells of at one address: the present one, and those just before it. */
export const HEALTH_SPANS = 3;

/** What a consumer runs at one address; version 0 while it runs nothing yet. */
export const helloRunSchema = {
  type: 'object',
  required: ['address', 'generation', 'version'],
  properties: {
    address: part.address,
    generation: part.counter,
    version: part.counter,
    hash: part.sha256,
    /** As which cohort; left out for the stable one, and where a heartbeat has no room for it. */
    cohort: part.cohort,
    /** The highest version this incarnation ever applied. */
    highestVersion: part.counter,
    /**
     * The newest version that it rejected and why, while it is newer than what it runs, or the same that
     * it was to run as another cohort.
     */
    rejected: {
      type: 'object',
      required: ['generation', 'version', 'reason'],
      properties: { generation: part.version, version: part.version, reason: part.reason },
    },
    /**
     * What was reported under what runs, and under what ran before as far as no reply came since. Left
     * out where nothing was reported; empty where something was, and a heartbeat has no room for it.
     */
    health: { type: 'array', maxItems: HEALTH_SPANS, items: helloHealthSchema },
  },
} as const;

/** Heartbeat, one per connection and root; the first one announces an incarnation. */
export const helloSchema = {
  type: 'object',
  required: ['format', 'incarnation', 'labels', 'runs'],
  properties: {
    format: { const: part.FORMAT },
    incarnation: part.incarnation,
    build: { type: 'string', maxLength: 128 },
    labels: part.labels,
    /** The slot that it was given last: an owner that does not know of it gives it again. */
    slot: { type: 'integer', minimum: 0, maximum: 999_999 },
    runs: { type: 'array', maxItems: 1000, items: helloRunSchema },
    /** Set on the last heartbeat of a clean close. */
    leaving: { const: true },
  },
} as const;

export const helloReplySchema = {
  type: 'object',
  required: ['format', 'installation', 'fencingToken', 'nextHelloMs', 'newest', 'slot'],
  properties: {
    format: { const: part.FORMAT },
    installation: { type: 'string', minLength: 1, maxLength: 128 },
    /** A reply with a lower token than one seen is ignored. */
    fencingToken: part.token,
    nextHelloMs: { type: 'integer', minimum: 100, maximum: 600_000 },
    slot: { type: ['integer', 'null'], minimum: 0 },
    /** Newest published snapshot per address asked for; addresses that are unknown are left out. */
    newest: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'generation', 'version', 'hash'],
        properties: {
          address: part.address,
          generation: part.version,
          version: part.version,
          hash: part.sha256,
        },
      },
    },
  },
} as const;

export type HelloHealth = Infer<typeof helloHealthSchema>;
export type HelloRun = Infer<typeof helloRunSchema>;
export type Hello = Infer<typeof helloSchema>;
export type HelloReply = Infer<typeof helloReplySchema>;
