import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';

/** What lets nothing go forward at an address just now. */
export const freezeViewSchema = {
  type: 'object',
  required: ['scope', 'reason'],
  properties: {
    /** Whose release policy says so: at or above the address, or below it and reached by what is released there. */
    scope: part.address,
    reason: { type: 'string' },
    /** When nothing freezes the address any more, as the policies stand now; left out where that is not known. */
    until: part.timestamp,
    /** It is one of the policy's `freezes`; left out where somebody has set `frozen`. */
    byClock: { const: true },
  },
} as const;
export type Freeze = Infer<typeof freezeViewSchema>;
