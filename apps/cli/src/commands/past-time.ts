import { InvalidArgumentError } from 'commander';
import { parseTime } from './later-flags.js';

/** What is taken for a time that has passed, in words. */
export const PAST = 'how long ago (30s, 15m, 1h, 2d), or a time with its zone (2026-12-01T03:00Z)';

const AGO = /^[0-9]{1,9}[smhd]$/;

/** A time with its zone, RFC 3339 with milliseconds then, or how long ago, as it is. */
export function parsePast(text: string): string {
  if (AGO.test(text)) return text;
  try {
    return parseTime(text);
  } catch {
    throw new InvalidArgumentError(`Say ${PAST}.`);
  }
}
