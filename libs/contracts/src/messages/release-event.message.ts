import { auditItemSchema } from '../rest/views.js';
import type { Infer } from './infer.js';
import * as part from './parts.js';

/**
 * What a webhook is told of one transition of a release: a CloudEvents 1.0 event in JSON. `id` is the same
 * however often it is sent; `data` is the line of history.
 */
export const releaseEventSchema = {
  type: 'object',
  required: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'data'],
  properties: {
    specversion: { const: '1.0' },
    id: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    /** `urn:pawl:<installation>/<id>`. */
    source: { type: 'string' },
    /** `pawl.release.<action>`. */
    type: { type: 'string', pattern: '^pawl\\.release\\.[a-z-]+$' },
    subject: part.address,
    time: part.timestamp,
    datacontenttype: { const: 'application/json' },
    data: auditItemSchema,
  },
} as const;

export type ReleaseEvent = Infer<typeof releaseEventSchema>;
