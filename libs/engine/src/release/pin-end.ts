import { done, refused } from '@pawl/contracts';
import type { Outcome, ReleaseRequest } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MAX_DAYS = 30;

/** When the pin that is asked for ends, RFC 3339; refused unless that is a minute to 30 days ahead. */
export function pinEnd(
  { clock, formatTime, parseTime }: Pick<EngineContext, 'clock' | 'formatTime' | 'parseTime'>,
  { until, expireMs = 0 }: Pick<ReleaseRequest, 'until' | 'expireMs'>,
): Outcome<string> {
  const nowMs = clock.wallMs();
  const endMs = until === undefined ? nowMs + expireMs : parseTime(until);
  if (Number.isNaN(endMs)) {
    return refused('malformed-request', `${until} is no time: write it as RFC 3339 has it`);
  }
  const isNear = endMs >= nowMs + MINUTE_MS && endMs <= nowMs + MAX_DAYS * DAY_MS;
  if (isNear) return done(formatTime(endMs));
  const detail =
    `a pin ends a minute to ${MAX_DAYS} days from now, and it is ${formatTime(nowMs)}: ` +
    'pin again later where it is to be longer';
  return refused('malformed-request', detail);
}
