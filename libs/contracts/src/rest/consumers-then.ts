import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { CONSUMER_STATES } from './views.js';
import type { Page } from './views.js';

/** What a consumer made, at a time, of what was published then; `left`: it had said goodbye. */
export const PAST_STATES = [...CONSUMER_STATES, 'left'] as const;
export type PastState = (typeof PAST_STATES)[number];

/** What one incarnation of a consumer ran at a time. */
export const consumerThenSchema = {
  type: 'object',
  required: [
    'workload',
    'consumerId',
    'incarnation',
    'state',
    'generation',
    'version',
    'since',
    'lastSeenAt',
  ],
  properties: {
    workload: { type: 'string' },
    consumerId: { type: 'string' },
    incarnation: { type: 'string' },
    state: { enum: PAST_STATES },
    generation: part.counter,
    /** Snapshot version; 0: none yet. */
    version: part.counter,
    hash: part.sha256,
    /** As which cohort; left out for the stable one. */
    cohort: part.cohort,
    /** What it had rejected, above what it ran. */
    rejected: {
      type: 'object',
      required: ['version', 'reason'],
      properties: { version: part.counter, reason: { type: 'string' } },
    },
    /** Since when it was so, by its own word where it gave one. */
    since: part.timestamp,
    /** When it was heard last, until now; null: longer ago than is kept. */
    lastSeenAt: { ...part.timestamp, type: ['string', 'null'] },
  },
} as const;
export type ConsumerThen = Infer<typeof consumerThenSchema>;

/** What a page of them tells besides. */
export const consumersThenProperties = {
  at: part.timestamp,
  /** Nothing is told of the time before. */
  knownSince: part.timestamp,
  /** The snapshot that was published then; null: none, as far as consumers were told of it. */
  published: {
    type: ['object', 'null'],
    required: ['generation', 'version', 'at'],
    properties: { generation: part.version, version: part.version, at: part.timestamp },
  },
} as const;

/** What the consumers of an address ran at a time. */
export interface ConsumersThen extends Page<ConsumerThen> {
  readonly at: string;
  readonly knownSince: string;
  readonly published: {
    readonly generation: number;
    readonly version: number;
    readonly at: string;
  } | null;
}
