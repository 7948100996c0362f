import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { releaseEndProperties, releaseEndRequired } from './release-end.js';
import { historyItemSchema } from './views.js';

const properties = {
  id: part.pathId,
  /** The address that was released. */
  address: part.address,
  state: { const: 'ended' },
  ...releaseEndProperties,
  endedAt: part.timestamp,
  endedBy: { type: 'string' },
  /** With which it ended. */
  releaseVersion: part.counter,
  /** Why it ended, with the numbers that were seen. */
  reason: { type: 'string' },
} as const;
const required = [
  ...['id', 'address', 'state', 'endedAt', 'endedBy', 'releaseVersion'],
  ...releaseEndRequired,
] as const;

/** A release in stages that has ended. */
export const endedReleaseSchema = { type: 'object', required, properties } as const;
export type EndedRelease = Infer<typeof endedReleaseSchema>;

/** So many transitions of a release that has ended are told. */
export const MAX_TRANSITIONS = 1_000;

/** The same, with what was done of it. */
export const endedReleaseSummarySchema = {
  type: 'object',
  required: [...required, 'transitions'],
  properties: {
    ...properties,
    /** In the order in which they were done; the last 1,000. */
    transitions: { type: 'array', maxItems: MAX_TRANSITIONS, items: historyItemSchema },
    /** There were more before them. */
    more: { const: true },
  },
} as const;
export type EndedReleaseSummary = Infer<typeof endedReleaseSummarySchema>;
