import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { POLICY_DOCUMENT } from './release-policy.js';

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

/** Until when what is at a scope is frozen, by whose policy, and why, in words. */
export function freezeText(freeze: Freeze, at: string): string {
  const { scope, reason, until } = freeze;
  const end = until === undefined ? '' : ` until ${until}`;
  const reaches = isFrozenBelow(freeze, at) ? ', which this reaches' : '';
  return `frozen${end} by ${scope}:${POLICY_DOCUMENT}${reaches}: ${reason}`;
}

/** Whether it is frozen for what lies below a scope, and not for the scope itself. */
export function isFrozenBelow({ scope }: Pick<Freeze, 'scope'>, at: string): boolean {
  return at !== scope && !at.startsWith(`${scope}/`);
}
