import { ProblemException } from '@pawl/platform';
import type { Query } from './query.js';

const DURATION = /^([0-9]{1,9})(s|m|h|d)$/;
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;
const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** PostgreSQL has no year 0, and one of five digits is written in another way. */
const FIRST_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');
/** A hundred years. */
const LONGEST_MS = 36_525 * 86_400_000;

/** A time, RFC 3339, or how long ago. */
type Time<Name extends string> =
  { readonly [name in Name]: string } | { readonly withinMs: number };

/** `?<name>=`: a time, or how long ago; nothing when it is not given. */
export function timeOf<Name extends string>(query: Query, name: Name): Time<Name> | undefined {
  const text = query.raw(name);
  if (text === undefined) return undefined;
  const [, count, unit = ''] = DURATION.exec(text) ?? [];
  if (count !== undefined) {
    return { withinMs: Math.min(Number(count) * (UNITS_MS[unit] ?? 0), LONGEST_MS) };
  }
  const atMs = TIMESTAMP.test(text) ? Date.parse(text) : NaN;
  if (atMs >= FIRST_MS && atMs <= LAST_MS) return { [name]: text } as Time<Name>;
  throw ProblemException.of(
    'malformed-request',
    `?${name}= takes a time such as 2026-01-02T03:04:05Z (a + in it is sent as %2B), or how long ago with s, m, h or d: 1h.`,
  );
}
