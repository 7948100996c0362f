import type { Infer } from '../messages/infer.js';
import * as part from '../messages/parts.js';
import { strategySchema } from './strategy.js';

/** Name of the documents that say how a scope, and what lies below it, is released. */
export const POLICY_DOCUMENT = 'release-policy';

const reason = { type: 'string', minLength: 1, maxLength: 1024 } as const;
const clockTime = { type: 'string', pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$' } as const;
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** A time in which nothing goes forward: once, or every week by the clock of a time zone. */
const freezeSchema = {
  type: 'object',
  required: ['reason'],
  additionalProperties: false,
  properties: {
    reason,
    /** Once: from this time, RFC 3339, … */
    since: part.timestamp,
    /** … up to this one. */
    until: part.timestamp,
    /** Every week: on these days, … */
    days: { type: 'array', minItems: 1, maxItems: 7, items: { enum: WEEKDAYS } },
    /** … from this time of the day, 00:00 when left out, … */
    from: clockTime,
    /** … to this one, 24:00 when left out, … */
    to: clockTime,
    /** … by the clocks of this IANA time zone, `UTC` when left out. */
    timeZone: { type: 'string', minLength: 1, maxLength: 64 },
  },
} as const;

/** `false` takes back what a scope above says. */
const localSchema = {
  type: 'object',
  maxProperties: 1000,
  propertyNames: { pattern: '^(/([^/~]|~[01])*)+$' },
  additionalProperties: { type: 'boolean' },
} as const;

/**
 * The effective document of `<scope>:release-policy`: how that scope and everything below it is
 * released. It is configuration as any other: versioned, inherited, overridden key by key.
 */
export const releasePolicySchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    /** Strategies by name, for `promote` to take. */
    strategies: { type: 'object', maxProperties: 100, additionalProperties: strategySchema },
    /** Every promote is by the strategy of this name; by another in stages only with a reason. */
    demand: { type: ['string', 'null'], maxLength: 64 },
    /** While it is set nothing goes forward: why. */
    frozen: { type: ['string', 'null'], maxLength: 1024 },
    freezes: { type: 'array', maxItems: 100, items: freezeSchema },
    /** What a merge from another address leaves as it is here: by document name and JSON Pointer. */
    local: { type: 'object', maxProperties: 100, additionalProperties: localSchema },
  },
} as const;
export type ReleasePolicy = Infer<typeof releasePolicySchema>;
export type FreezeWindow = Infer<typeof freezeSchema>;
