import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { mergeOriginSchema } from './merge-views.js';
import { problemErrorSchema } from './problem-error.js';
import { snapshotInputSchema } from '../messages/snapshot.message.js';
import { freezeViewSchema } from './freeze-view.js';
import { heldSchema } from './gate-results.js';
import { layerPinSchema, pinnedBelowSchema, pinViewSchema } from './pin-views.js';
import { queuedViewSchema } from './queued-view.js';
import { preflightProgressSchema } from './preflight-views.js';
import { begunProperties, policyVersionSchema, releaseEndSchema } from './release-end.js';
import { rolloutReleaseSchema } from './rollout-release.js';
import { truthBehindSchema } from './restore-views.js';
import {
  expireMsSchema,
  gateSchema,
  progressMsSchema,
  strategySchema,
  strategyStageSchema,
} from './strategy.js';

/** Shapes of the admin REST API's requests and answers; OpenAPI and the typed client come from here. */

const writtenProperties = {
  address: part.address,
  version: part.version,
  hash: part.sha256,
  author: { type: 'string' },
  createdAt: part.timestamp,
  message: { type: 'string' },
  /** Set when it was merged from another address. */
  origin: mergeOriginSchema,
} as const;

/** Answer of a write of a definition. */
export const writtenSchema = {
  type: 'object',
  required: ['address', 'version', 'hash', 'author', 'createdAt', 'warnings'],
  properties: { ...writtenProperties, warnings: { type: 'array', items: problemErrorSchema } },
} as const;
export type WrittenView = Infer<typeof writtenSchema>;

export const definitionSchema = {
  type: 'object',
  required: ['address', 'version', 'document', 'hash', 'author', 'createdAt'],
  properties: {
    ...writtenProperties,
    document: { type: 'object' },
    schema: {},
    /** Set when the definition has no document of its own: `document` is then shown as `{}`. */
    abstract: { const: true },
  },
} as const;
export type DefinitionView = Infer<typeof definitionSchema>;

export const RELEASE_ACTIONS = [
  'promote',
  'advance',
  'skip',
  'pause',
  'resume',
  'abort',
  'hold',
  'approve',
  'rollback',
  'disable',
  'enable',
  'block',
  'unblock',
  'cancel',
] as const;
export type ReleaseAction = (typeof RELEASE_ACTIONS)[number];

/** What is done to the version of an ancestor that an address and those below it have. */
export const PIN_ACTIONS = ['pin', 'unpin'] as const;
export type PinAction = (typeof PIN_ACTIONS)[number];

export const releaseRequestSchema = {
  type: 'object',
  required: ['action'],
  additionalProperties: false,
  properties: {
    action: { type: 'string' },
    /**
     * A promote without it is of the newest version; a rollback ends a release in stages that is under way,
     * or goes to the last good version: that which everybody had before, valid, and not gone back from.
     */
    targetVersion: part.version,
    expectedReleaseVersion: part.counter,
    strategy: strategySchema,
    /**
     * Of a promote while a release in stages is under way: `supersede` drops that one, `queue` begins
     * after it ended well, `requeue` does so, or where nothing is under way at once, in place of what is
     * queued already.
     */
    conflict: { enum: ['refuse', 'supersede', 'queue', 'requeue'] },
    /** When a promote begins, if not now: at most 90 days ahead. */
    at: part.timestamp,
    /** Of a promote that begins now: the addresses below whose releases in stages are aborted with it. */
    preempt: { type: 'array', items: part.address, uniqueItems: true, maxItems: 100 },
    /** Of a hold: the workloads that go back to the stable version until the release is resumed, and why. */
    workloads: heldSchema,
    /** Of an approve: the stage that it is for, 0 is the first; refused where another is reached. */
    stage: { type: 'integer', minimum: 0, maximum: 63 },
    reason: { type: 'string', maxLength: 1024 },
    force: { type: 'boolean' },
    /** Of a pin or an unpin: the address above whose version is meant. */
    ancestor: part.address,
    /** How long a pin holds, or until when: a minute to 30 days. */
    expireMs: { type: 'integer', minimum: 60_000, maximum: 2_592_000_000 },
    until: part.timestamp,
    /** Why this must go forward although the scope is frozen. */
    freezeException: { type: 'string', maxLength: 1024 },
  },
} as const;
export type ReleaseRequest = Infer<typeof releaseRequestSchema>;

/** A release in stages that is under way. */
export const stagedViewSchema = {
  type: 'object',
  required: ['id', 'strategy', 'stage', 'stages', 'gates'],
  properties: {
    id: part.pathId,
    /** Name of the strategy, or `inline`. */
    strategy: { type: 'string' },
    ...begunProperties,
    /** The stage that is reached; 0 is the first, also while its preflight is under way. */
    stage: part.counter,
    preflight: preflightProgressSchema,
    stages: { type: 'array', items: strategyStageSchema },
    gates: { type: 'array', items: gateSchema },
    /** Why it is paused. */
    reason: { type: 'string' },
    /** Workloads that are held back at the stable version, and why. */
    held: heldSchema,
    /** The stage that somebody approved last. */
    approved: part.counter,
    expireMs: expireMsSchema,
    progressMs: progressMsSchema,
    /** Since when it is paused; left out where a restore paused it. */
    pausedAt: part.timestamp,
  },
} as const;
export type StagedView = Infer<typeof stagedViewSchema>;

/** A release in stages of another address that ends with a transition. */
export const abortedSchema = {
  type: 'object',
  required: ['address', 'id', 'version'],
  properties: {
    address: part.address,
    id: part.pathId,
    /** Its candidate. */
    version: part.version,
    /** The version that was queued behind it, and is dropped too. */
    queued: part.version,
  },
} as const;
export type AbortedView = Infer<typeof abortedSchema>;

export const releaseSchema = {
  type: 'object',
  required: ['address', 'state', 'releaseVersion', 'stableVersion'],
  properties: {
    address: part.address,
    state: { enum: ['idle', 'rolling', 'paused', 'disabled'] },
    releaseVersion: part.counter,
    stableVersion: { ...part.version, type: ['integer', 'null'] },
    /** The definition version that is being released in stages. */
    candidate: part.version,
    staged: stagedViewSchema,
    queued: queuedViewSchema,
    /** Of the answer to a transition: what was queued before, and is no more. */
    dropped: queuedViewSchema,
    /** Of the answer to a transition: at most 100 of the releases of other addresses that end with it. */
    aborted: { type: 'array', items: abortedSchema },
    /** Versions that may not be promoted or rolled back to, ascending. */
    blockedVersions: { type: 'array', items: part.version },
    /** The stable version was forced although it breaks a schema. */
    forced: { const: true },
    /** The versions of addresses above that this one and those below it stay at. */
    pins: { type: 'array', items: pinViewSchema },
    /** The addresses below that stay at another version of this one. */
    pinnedBelow: pinnedBelowSchema,
    /** Nothing goes forward here now. */
    frozen: freezeViewSchema,
  },
} as const;
export type ReleaseView = Infer<typeof releaseSchema>;

export const originSchema = {
  type: 'object',
  required: ['address', 'version', 'author'],
  properties: { address: part.address, version: part.version, author: { type: 'string' } },
} as const;

export const effectiveSchema = {
  type: 'object',
  required: ['address', 'snapshotVersion', 'document', 'hash'],
  properties: {
    address: part.address,
    snapshotVersion: part.version,
    /** `null` when no layer has a document: the address is absent. */
    document: { type: ['object', 'null'] },
    hash: part.sha256,
    /** The layers it was computed from, in merge order. */
    inputs: { type: 'array', items: snapshotInputSchema },
    /** As which cohort it is read; left out for the stable one. */
    cohort: part.cohort,
    /** The layers that stay at a version here, whatever is released of them, and until when. */
    pins: { type: 'array', items: layerPinSchema },
    /** Per JSON Pointer of a leaf or empty container: the layer that set it. */
    explain: { type: 'object', additionalProperties: originSchema },
  },
} as const;
export type EffectiveView = Infer<typeof effectiveSchema>;
export type Origin = Infer<typeof originSchema>;

/**
 * Of what the owner had saved, a second before it fell silent at most: the time of the latest report, or
 * publication, in it. Of what an owner tells that was not confirmed for a lease: of its last check.
 */
export const savedAt = {
  ...part.timestamp,
  description:
    'Only while the owner does not answer: when the latest report that it saved came; or is not confirmed: when it was',
} as const;

export const rolloutSchema = {
  type: 'object',
  required: ['address', 'published', 'consumers', 'rejections', 'propagationMs', 'converged'],
  properties: {
    address: part.address,
    /** `null` until the first snapshot of this address is in JetStream. */
    published: {
      type: ['object', 'null'],
      required: ['version', 'generation', 'at', 'hash'],
      properties: {
        version: part.version,
        generation: part.version,
        at: part.timestamp,
        hash: part.sha256,
      },
    },
    consumers: {
      type: 'object',
      required: ['live', 'applied', 'lagging', 'rejected', 'byVersion'],
      properties: {
        live: part.counter,
        applied: part.counter,
        lagging: part.counter,
        rejected: part.counter,
        /** Live consumers by the snapshot version they run; "0": none yet. */
        byVersion: { type: 'object', additionalProperties: part.counter },
      },
    },
    rejections: {
      type: 'array',
      items: {
        type: 'object',
        required: ['reason', 'count'],
        properties: { reason: { type: 'string' }, count: part.counter },
      },
    },
    /** Publish to apply, over the consumers that applied the published version. */
    propagationMs: {
      type: 'object',
      required: ['p50', 'p95', 'p99', 'max'],
      properties: {
        p50: { type: ['number', 'null'] },
        p95: { type: ['number', 'null'] },
        p99: { type: ['number', 'null'] },
        max: { type: ['number', 'null'] },
      },
    },
    converged: { type: 'boolean' },
    /** The releases in stages under way here: of the address itself and of those above it. */
    releases: { type: 'array', items: rolloutReleaseSchema },
    queued: queuedViewSchema,
    /** The layers that stay at a version here, by a pin of the address or of one above it. */
    pins: { type: 'array', items: layerPinSchema },
    pinnedBelow: pinnedBelowSchema,
    /** Nothing goes forward here now; left out while the owner does not answer too. */
    frozen: freezeViewSchema,
    asOf: savedAt,
  },
} as const;
export type RolloutView = Infer<typeof rolloutSchema>;

export const CONSUMER_STATES = ['applied', 'lagging', 'rejected', 'stale'] as const;
export type ConsumerState = (typeof CONSUMER_STATES)[number];

export const consumerSchema = {
  type: 'object',
  required: [
    'workload',
    'consumerId',
    'incarnation',
    'labels',
    'slot',
    'version',
    'highestVersion',
    'state',
    'lastSeenAt',
    'appliedAt',
  ],
  properties: {
    workload: { type: 'string' },
    consumerId: { type: 'string' },
    incarnation: { type: 'string' },
    build: { type: 'string' },
    labels: part.labels,
    slot: { type: ['integer', 'null'] },
    version: part.counter,
    highestVersion: part.counter,
    state: { enum: CONSUMER_STATES },
    reason: { type: 'string' },
    lastSeenAt: part.timestamp,
    appliedAt: { type: ['string', 'null'] },
    /** As which cohort it runs the version; left out for the stable one. */
    cohort: part.cohort,
    /** Another live incarnation reports under the same consumerId. */
    duplicate: { const: true },
  },
} as const;
export type ConsumerView = Infer<typeof consumerSchema>;

export const historyItemSchema = {
  type: 'object',
  required: ['at', 'author', 'kind'],
  properties: {
    at: part.timestamp,
    author: { type: 'string' },
    kind: { enum: ['definition', 'release', 'restore'] },
    version: part.version,
    releaseVersion: part.version,
    action: { type: 'string' },
    message: { type: 'string' },
    reason: { type: 'string' },
    forced: { const: true },
    /** Of a definition that was merged from another address. */
    origin: mergeOriginSchema,
    /** The release in stages that this began, moved on or ended. */
    releaseId: part.pathId,
    /** Of a promote that began one by a strategy of a release policy. */
    policyVersion: policyVersionSchema,
    /** Set when the release ended with this. */
    ended: releaseEndSchema,
  },
} as const;
export type HistoryItem = Infer<typeof historyItemSchema>;

export const auditItemSchema = {
  ...historyItemSchema,
  required: ['at', 'author', 'kind', 'address'],
  properties: { ...historyItemSchema.properties, address: part.address },
} as const;
export type AuditItem = Infer<typeof auditItemSchema>;

export const scopeSchema = {
  type: 'object',
  required: ['address', 'newestVersion', 'stableVersion', 'state', 'snapshotVersion'],
  properties: {
    address: part.address,
    /** 0 for an address that is known only because a consumer opened it. */
    newestVersion: part.counter,
    stableVersion: { ...part.version, type: ['integer', 'null'] },
    state: { enum: ['idle', 'rolling', 'paused', 'disabled'] },
    snapshotVersion: part.counter,
  },
} as const;
export type ScopeView = Infer<typeof scopeSchema>;

/** Told from memory: it is answered whatever is down. */
export const healthSchema = {
  type: 'object',
  required: ['status', 'installation'],
  properties: {
    status: { const: 'alive' },
    installation: { type: 'string', description: '<name>/<id>, of the node that answers' },
  },
} as const;
export type HealthView = Infer<typeof healthSchema>;

export const clusterSchema = {
  type: 'object',
  required: ['installation', 'nodes', 'quorum', 'shards'],
  properties: {
    installation: { type: 'string', description: '<name>/<id>, of the node that answers' },
    nodes: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'state', 'shards'],
        properties: {
          id: { type: 'string' },
          state: { enum: ['ready', 'settling', 'unready', 'draining'] },
          /** Shards that it claims. */
          shards: part.counter,
          address: {
            type: 'string',
            description: 'Base URL of its REST; left out where it does not know it when it starts',
          },
          /** Since when it says so of itself, by its own clock. */
          since: part.timestamp,
          /** What keeps it from being ready. */
          problem: { type: 'string' },
          stale: {
            const: true,
            description:
              'Nobody leads the quorum: the state, and what it serves, are as they were known last, and it may be gone; left out where somebody leads',
          },
        },
      },
    },
    quorum: {
      type: 'object',
      required: ['members', 'leader', 'term', 'revision'],
      properties: {
        members: { type: 'array', items: { type: 'string' } },
        leader: { type: ['string', 'null'] },
        term: part.counter,
        revision: part.counter,
        /** Of `members`, those that receive the log and do not vote. */
        learners: { type: 'array', items: { type: 'string' } },
        /** How many entries of the log the other members are behind; null but from the leader. */
        replication: {
          type: ['array', 'null'],
          items: {
            type: 'object',
            required: ['id', 'behind'],
            properties: { id: { type: 'string' }, behind: part.counter },
          },
        },
        /** Where members of an embedded quorum are: `host:port` each. */
        addresses: {
          type: 'array',
          items: {
            type: 'object',
            required: ['id', 'peer', 'clients'],
            properties: {
              id: { type: 'string' },
              peer: { type: 'string' },
              clients: { type: 'array', items: { type: 'string' } },
            },
          },
        },
      },
    },
    shards: {
      type: 'array',
      items: {
        type: 'object',
        required: ['shard', 'owner', 'fencingToken', 'serving', 'since'],
        properties: {
          shard: part.counter,
          owner: { type: ['string', 'null'] },
          fencingToken: { type: ['string', 'null'] },
          /** Whether the owner serves it, wherever that is. */
          serving: { type: 'boolean' },
          /** Since when the owner serves it, by its own clock. */
          since: { ...part.timestamp, type: ['string', 'null'] },
          /** When PostgreSQL last confirmed the fence of a shard that this node serves. */
          fenceCheckedAt: { ...part.timestamp, type: ['string', 'null'] },
          /** What PostgreSQL lacks of the shard, which is read-only then; left out where nothing is. */
          behind: truthBehindSchema,
        },
      },
    },
  },
} as const;
export type ClusterView = Infer<typeof clusterSchema>;

/** Consumers of an address; `asOf` as in a rollout. */
export interface ConsumerPage extends Page<ConsumerView> {
  readonly asOf?: string;
}

/** A page of a list; `next` is the cursor of the following page. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}
