import type { Infer } from './infer.js';
import * as part from './parts.js';

/**
 * Tells that a snapshot is stored. Carries the snapshot itself when all its contents are inline, so
 * that one message is all a consumer needs.
 */
export const pushSchema = {
  type: 'object',
  required: ['format', 'address', 'generation', 'version', 'hash'],
  properties: {
    format: { const: part.FORMAT },
    address: part.address,
    generation: part.version,
    version: part.version,
    hash: part.sha256,
    snapshot: { type: 'object' },
  },
} as const;

export type Push = Infer<typeof pushSchema>;
