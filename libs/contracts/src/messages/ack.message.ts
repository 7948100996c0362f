import type { Infer } from './infer.js';
import * as part from './parts.js';

export const ackItemSchema = {
  type: 'object',
  required: ['address', 'generation', 'version', 'state', 'ageMs'],
  properties: {
    address: part.address,
    generation: part.version,
    version: part.version,
    hash: part.sha256,
    /** As which cohort it ran or was to run the snapshot; left out for the stable one. */
    cohort: part.cohort,
    state: { enum: ['applied', 'rejected'] },
    reason: part.reason,
    /** Milliseconds between the event and the sending of this message, by the consumer's own clock. */
    ageMs: part.age,
  },
} as const;

/** What a consumer did since its last ack; several addresses travel in one message. */
export const ackSchema = {
  type: 'object',
  required: ['format', 'incarnation', 'items'],
  properties: {
    format: { const: part.FORMAT },
    incarnation: part.incarnation,
    items: { type: 'array', minItems: 1, maxItems: 1000, items: ackItemSchema },
  },
} as const;

export type AckItem = Infer<typeof ackItemSchema>;
export type Ack = Infer<typeof ackSchema>;
