import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';

export const diffSchema = {
  type: 'object',
  required: ['from', 'to', 'patch'],
  properties: {
    /** Definition version, or the snapshot version where effective documents are compared. */
    from: part.version,
    to: part.version,
    /** RFC 6902, from the one document to the other. */
    patch: { type: 'array', items: { type: 'object' } },
    /** The address that `to` is of, where that is another one. */
    with: part.address,
    /** What is read at both addresses, not what was written. */
    effective: { const: true },
  },
} as const;
export type DiffView = Infer<typeof diffSchema>;
