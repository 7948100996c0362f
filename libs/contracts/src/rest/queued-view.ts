import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';

/** A promote that was asked for and begins later. */
export const queuedViewSchema = {
  type: 'object',
  required: ['id', 'targetVersion', 'strategy', 'by', 'queuedAt'],
  properties: {
    /** That it has as a release, once it begins. */
    id: part.pathId,
    targetVersion: part.version,
    /** Name of the strategy, `inline`, or `all-at-once`. */
    strategy: { type: 'string' },
    by: { type: 'string' },
    queuedAt: part.timestamp,
    reason: { type: 'string' },
    /** Why it begins although the scope is frozen. */
    freezeException: { type: 'string' },
    /** When it begins; left out: once nothing is under way. */
    at: part.timestamp,
    /** Why it has not begun; left out where the owner of the address does not tell. */
    waitsFor: { type: 'string' },
  },
} as const;
export type QueuedView = Infer<typeof queuedViewSchema>;
