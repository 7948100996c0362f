import type { ReleaseRequest } from '@pawl/contracts';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { CliError, EXIT } from '../exit-codes.js';

/** What `promote` takes to begin later. */
export interface LaterFlags {
  readonly supersede?: true;
  readonly queue?: true;
  readonly at?: string;
  /** Milliseconds from now. */
  readonly in?: number;
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 },
};
const LONGEST_MS = 90 * 86_400_000;
const SHORTEST_PIN_MS = 60_000;
const LONGEST_PIN_MS = 30 * 86_400_000;
/** With a zone, so that it is the same time for everybody; seconds may be left out. */
const TIME = /^(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Adds the options that {@link laterOf} reads. */
export function addLaterOptions(command: Command): Command {
  return command
    .option('--queue', 'after the release in stages that is under way, once that has ended well')
    .option('--supersede', 'in place of that, and of what is queued already')
    .option('--at <time>', 'at a time, with its zone: 2026-12-01T03:00Z', parseTime)
    .option('--in <duration>', 'so long from now: 30m, 2h, 3d', parseAhead);
}

/** When a promote begins, and what becomes of what is under way or queued. */
export function laterOf({
  supersede,
  queue,
  at,
  in: aheadMs,
}: LaterFlags): Pick<ReleaseRequest, 'at' | 'conflict'> {
  if (at !== undefined && aheadMs !== undefined) {
    throw new CliError('--at does not go with --in: say one of them', EXIT.usage);
  }
  const time = aheadMs === undefined ? at : new Date(Date.now() + aheadMs).toISOString();
  const begins = time === undefined ? {} : { at: time };
  const isLater = queue === true || time !== undefined;
  if (supersede === true) return { ...begins, conflict: isLater ? 'requeue' : 'supersede' };
  return queue === true ? { ...begins, conflict: 'queue' } : begins;
}

/** With its zone; RFC 3339 with milliseconds. */
export function parseTime(text: string): string {
  const match = TIME.exec(text);
  const [, minute = '', seconds = ':00', zone = ''] = match ?? [];
  const ms = Date.parse(`${minute.replace(/[t ]/, 'T')}${seconds}${zone.toUpperCase()}`);
  if (match === null || Number.isNaN(ms)) {
    throw new InvalidArgumentError('a time is written 2026-12-01T03:00Z, or with +01:00 for Z');
  }
  return new Date(ms).toISOString();
}

/** Milliseconds, up to 90 days. */
export function parseAhead(text: string): number {
  const ms = durationMs(text);
  if (!(ms > 0 && ms <= LONGEST_MS)) {
    throw new InvalidArgumentError('write a number with s, m, h or d, above 0 and at most 90d');
  }
  return ms;
}

/** Milliseconds, a minute to 30 days: how long a pin may be. */
export function parsePinTime(text: string): number {
  const ms = durationMs(text);
  if (!(ms >= SHORTEST_PIN_MS && ms <= LONGEST_PIN_MS)) {
    throw new InvalidArgumentError('a pin is for 1m to 30d: a number with s, m, h or d');
  }
  return ms;
}

/** NaN where it is none. */
function durationMs(text: string): number {
  const [, count = '', unit = ''] = /^([0-9]{1,8})([smhd])$/.exec(text) ?? [];
  return Number(count) * (UNITS[unit] ?? NaN);
}
