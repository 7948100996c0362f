import { WEEKDAYS } from '@pawl/contracts';
import type { FreezeWindow } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';

type ParseTime = EngineContext['parseTime'];

/** Whether nothing goes forward at this time. */
export function isInWindow(window: FreezeWindow, nowMs: number, parseTime: ParseTime): boolean {
  const { since, until, days, from = '00:00', to = '24:00', timeZone = 'UTC' } = window;
  if (since !== undefined && nowMs < parseTime(since)) return false;
  if (until !== undefined && nowMs >= parseTime(until)) return false;
  if (!isByDay(window)) return true;
  const minutes = clocksAt(nowMs, timeZone);
  // Rather too long than not at all.
  return minutes === undefined || minutes.some((minute) => isWithin({ days, from, to }, minute));
}

/**
 * When it ends that holds now, by the wall clock, milliseconds; `undefined` where that is not known: it has no
 * end, or clocks are set just then. Another one may hold from there on.
 */
export function endOfWindow(
  window: FreezeWindow,
  nowMs: number,
  parseTime: ParseTime,
): number | undefined {
  const lastMs = window.until === undefined ? Infinity : parseTime(window.until);
  const endMs = Math.min(lastMs, isByDay(window) ? dayEnd(window, nowMs, parseTime) : Infinity);
  return Number.isFinite(endMs) ? endMs : undefined;
}

/** Whether the clocks of a time zone can be read; where not, what holds by them holds all week. */
export function isKnownZone(timeZone: string): boolean {
  return zoneOf(timeZone) !== null;
}

/** Whether it is so every week, or every day. */
function isByDay({ days, from, to }: FreezeWindow): boolean {
  return days !== undefined || from !== undefined || to !== undefined;
}

/** Where it is over for the first time, of the times of the day at which it may be; Infinity: not known. */
function dayEnd(window: FreezeWindow, nowMs: number, parseTime: ParseTime): number {
  const { days, from = '00:00', to = '24:00', timeZone = 'UTC' } = window;
  // Right after clocks were set forward it may hold by what they would have shown only.
  const clocks = clocksAt(nowMs, timeZone);
  const now = clocks?.find((minute) => isWithin({ days, from, to }, minute));
  if (now === undefined) return Infinity;
  const minuteMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  for (const ahead of aheadOf(now, [from, to])) {
    if (isWithin({ days, from, to }, (now + ahead) % WEEK_MINUTES)) continue;
    const atMs = minuteMs + ahead * MINUTE_MS;
    // What clocks that were set meanwhile show more than they would have.
    const shown = weekMinute(atMs, timeZone) ?? 0;
    const more = ((shown - now - ahead + 2.5 * WEEK_MINUTES) % WEEK_MINUTES) - WEEK_MINUTES / 2;
    const ends = [atMs - more * MINUTE_MS, atMs].filter((endMs) => endMs > nowMs);
    const isEnd = (endMs: number): boolean =>
      !isInWindow(window, endMs, parseTime) && isInWindow(window, endMs - 1, parseTime);
    return ends.find(isEnd) ?? Infinity;
  }
  return Infinity;
}

/** Minutes from one of the week up to each of a week at which the day changes or it is one of these times. */
function aheadOf(now: number, times: readonly string[]): number[] {
  const ofDay = ['00:00', ...times].map((time) => {
    const [hours = 0, minutes = 0] = time.split(':').map(Number);
    return hours * 60 + minutes;
  });
  const ahead = WEEKDAYS.flatMap((_, day) =>
    ofDay.map((minute) => (day * DAY_MINUTES + minute - now + WEEK_MINUTES) % WEEK_MINUTES),
  );
  return ahead.filter((minutes) => minutes > 0).sort((a, b) => a - b);
}

function isWithin(
  { days, from, to }: { readonly days: FreezeWindow['days']; from: string; to: string },
  minute: number,
): boolean {
  const day = Math.floor(minute / DAY_MINUTES);
  const [hours, rest] = [Math.floor((minute % DAY_MINUTES) / 60), minute % 60];
  const time = `${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
  const isDay = (at: number): boolean => days?.includes(WEEKDAYS[at] ?? 'mon') ?? true;
  if (from < to) return isDay(day) && time >= from && time < to;
  return (isDay(day) && time >= from) || (isDay((day + 6) % 7) && time < to);
}

/**
 * The minutes of the week that count now by the clocks of a time zone: what they show; and right after they
 * were set forward what they would show had they not been, so that a time that they skip is one too.
 * `undefined`: no such zone is known.
 */
function clocksAt(nowMs: number, timeZone: string): number[] | undefined {
  const now = weekMinute(nowMs, timeZone);
  if (now === undefined) return undefined;
  const shown = (agoMinutes: number): number => {
    const then = weekMinute(nowMs - agoMinutes * MINUTE_MS, timeZone) ?? now;
    return (now - then + WEEK_MINUTES) % WEEK_MINUTES;
  };
  const skipped = shown(60) - 60;
  const isSkipped = skipped > 0 && shown(skipped) > skipped;
  return isSkipped ? [now, (now - skipped + WEEK_MINUTES) % WEEK_MINUTES] : [now];
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const WEEK_MINUTES = 7 * DAY_MINUTES;

/** A time zone, and what its clocks showed in some minutes. */
interface Zone {
  readonly format: Intl.DateTimeFormat;
  /** By the minute since 1970. */
  readonly shown: Map<number, number>;
}

/** By name: making one takes ten times as long as asking it, and that far longer than to remember. */
const ZONES = new Map<string, Zone | null>();
const MAX_ZONES = 100;
/** More than are asked for where the ends of windows are followed: the next view asks for the same. */
const MAX_SHOWN = 512;

/** Minutes since Monday began by the clocks of a time zone; `undefined`: no such zone is known. */
function weekMinute(nowMs: number, timeZone: string): number | undefined {
  const zone = zoneOf(timeZone);
  if (zone === null) return undefined;
  const minute = Math.floor(nowMs / MINUTE_MS);
  const { format, shown } = zone;
  const known = shown.get(minute);
  if (known !== undefined) return known;
  const now = readClock(format, minute * MINUTE_MS);
  if (shown.size >= MAX_SHOWN) shown.clear();
  shown.set(minute, now);
  return now;
}

function readClock(format: Intl.DateTimeFormat, nowMs: number): number {
  const parts = format.formatToParts(nowMs);
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? '';
  const weekday = part('weekday').toLowerCase();
  const day = WEEKDAYS.findIndex((one) => one === weekday);
  return day * DAY_MINUTES + Number(part('hour')) * 60 + Number(part('minute'));
}

function zoneOf(timeZone: string): Zone | null {
  const known = ZONES.get(timeZone);
  if (known !== undefined) return known;
  if (ZONES.size >= MAX_ZONES) ZONES.clear();
  const format = makeFormat(timeZone);
  const zone = format && { format, shown: new Map<number, number>() };
  ZONES.set(timeZone, zone);
  return zone;
}

function makeFormat(timeZone: string): Intl.DateTimeFormat | null {
  const options = {
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  } as const;
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone });
  } catch {
    return null;
  }
}
