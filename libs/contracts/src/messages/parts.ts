/** Schema fragments that several messages share. */
export const FORMAT = 1;

export const version = { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } as const;
export const counter = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
export const address = { type: 'string', minLength: 1, maxLength: 576 } as const;
export const sha256 = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
export const timestamp = { type: 'string', format: 'date-time', maxLength: 40 } as const;
/** A fencing token as decimal digits: it may pass 2^53. */
export const token = { type: 'string', pattern: '^[0-9]{1,20}$' } as const;
/** Milliseconds, up to a week. */
export const age = { type: 'integer', minimum: 0, maximum: 604_800_000 } as const;
export const incarnation = { type: 'string', minLength: 1, maxLength: 64 } as const;
export const reason = { type: 'string', maxLength: 2048 } as const;
export const labels = {
  type: 'object',
  maxProperties: 16,
  additionalProperties: { type: 'string', maxLength: 128 },
} as const;
export const pathId = { type: 'string', pattern: '^[A-Za-z0-9_-]{1,128}$' } as const;
/** Key of a cohort that is not the stable one: at most three ids of releases. */
export const cohort = { type: 'string', minLength: 1, maxLength: 386 } as const;
