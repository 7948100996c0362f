import type { Infer } from './infer.js';
import * as part from './parts.js';

/** `cannot-say`: there was no time, no content, or a `validate` that did not end. */
export const VERDICTS = ['accept', 'reject', 'cannot-say'] as const;
export type Verdict = (typeof VERDICTS)[number];

export const voteItemSchema = {
  type: 'object',
  required: ['id', 'address', 'hash', 'verdict'],
  properties: {
    /** Of the preflight. */
    id: part.pathId,
    address: part.address,
    /** Of the document that was judged. */
    hash: part.sha256,
    verdict: { enum: VERDICTS },
    /** JSON Pointer (RFC 6901) of what is wrong, where the error that was thrown says so. */
    pointer: { type: 'string', maxLength: 1024 },
    reason: part.reason,
  },
} as const;

/** What a consumer makes of documents that it was asked about; several travel in one message. */
export const voteSchema = {
  type: 'object',
  required: ['format', 'incarnation', 'items'],
  properties: {
    format: { const: part.FORMAT },
    incarnation: part.incarnation,
    items: { type: 'array', minItems: 1, maxItems: 1000, items: voteItemSchema },
  },
} as const;

export type VoteItem = Infer<typeof voteItemSchema>;
export type Vote = Infer<typeof voteSchema>;
