import type { FreezeWindow } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { endOfWindow, isInWindow } from './freeze-window.js';

const MINUTE_MS = 60_000;
const parseTime = (text: string): number => Date.parse(text);

/** When a freeze that holds at a time ends; nothing where that is not known. */
function endAt(window: Omit<FreezeWindow, 'reason'>, now: string): string | undefined {
  const whole = { reason: 'calm', ...window };
  expect(isInWindow(whole, parseTime(now), parseTime)).toBe(true);
  const endMs = endOfWindow(whole, parseTime(now), parseTime);
  return endMs === undefined ? undefined : new Date(endMs).toISOString();
}

describe('the end of a freeze by the clock', () => {
  it('that holds once is its own; one without any has none', () => {
    const until = '2026-01-03T00:00:00.000Z';
    expect(endAt({ until }, '2026-01-01T12:00:00Z')).toBe(until);
    expect(endAt({ since: '2026-01-01T00:00:00Z' }, '2026-01-01T12:00:00Z')).toBeUndefined();
    expect(endAt({ from: '00:00' }, '2026-01-01T12:00:00Z')).toBeUndefined();
  });

  it('of every week comes by the clocks of its time zone, over all days in a row', () => {
    const weekend = { days: ['fri', 'sat', 'sun'] as const };
    expect(endAt(weekend, '2026-01-02T15:00:30.500Z')).toBe('2026-01-05T00:00:00.000Z');
    const tokyo = { ...weekend, timeZone: 'Asia/Tokyo' };
    expect(endAt(tokyo, '2026-01-02T15:00:30.500Z')).toBe('2026-01-04T15:00:00.000Z');
    const evening = { days: weekend.days, from: '16:00' };
    expect(endAt(evening, '2026-01-02T16:00:00Z')).toBe('2026-01-03T00:00:00.000Z');
  });

  it('over midnight comes on the next day, and with its last week at the latest', () => {
    const night = { from: '22:00', to: '06:00' };
    expect(endAt(night, '2026-01-01T23:00:00Z')).toBe('2026-01-02T06:00:00.000Z');
    const until = '2026-01-02T01:00:00.000Z';
    expect(endAt({ ...night, until }, '2026-01-01T23:00:00Z')).toBe(until);
  });

  it('from and up to the same time of the day comes a day later, and of every day never', () => {
    const friday = { days: ['fri'], from: '16:00', to: '16:00' } as const;
    expect(endAt(friday, '2026-01-02T16:00:00Z')).toBe('2026-01-03T16:00:00.000Z');
    expect(endAt({ from: '16:00', to: '16:00' }, '2026-01-02T12:00:00Z')).toBeUndefined();
  });

  it('that says only when it begins is midnight, that says only when it ends begins there', () => {
    expect(endAt({ from: '16:00' }, '2026-01-02T16:00:00Z')).toBe('2026-01-03T00:00:00.000Z');
    expect(endAt({ to: '06:00' }, '2026-01-02T00:00:00Z')).toBe('2026-01-02T06:00:00.000Z');
    const early = { reason: 'calm', to: '06:00' };
    expect(isInWindow(early, parseTime('2026-01-01T23:59:00Z'), parseTime)).toBe(false);
  });

  it('of a time zone that nobody knows is that of its last week', () => {
    const moon = { to: '00:01', timeZone: 'Moon/Base' };
    expect(endAt(moon, '2026-01-01T12:00:00Z')).toBeUndefined();
    const until = '2026-01-02T00:00:00.000Z';
    expect(endAt({ ...moon, until }, '2026-01-01T12:00:00Z')).toBe(until);
  });

  it.each<Omit<FreezeWindow, 'reason'>>([
    { from: '22:00', to: '06:00', timeZone: 'Europe/Berlin' },
    { from: '02:15', to: '02:45', timeZone: 'Europe/Berlin' },
    { from: '22:00', to: '02:30', timeZone: 'Europe/Berlin' },
    { days: ['sat', 'sun'], timeZone: 'Europe/Berlin' },
    { days: ['sun'], from: '01:30', to: '04:00', timeZone: 'Europe/Berlin' },
    { days: ['sat'], from: '23:00', to: '02:30', timeZone: 'Europe/Berlin' },
  ])('is where it is over for the first time, if anything, also where clocks are set: %j', (of) => {
    const window = { reason: 'calm', ...of };
    let [isTold, isNot] = [0, 0];
    for (const last of ['2026-03-31T12:00:00Z', '2026-10-27T12:00:00Z']) {
      let overMs = NaN;
      for (let back = 0; back < 4 * 24 * 60; back += 5) {
        const ms = parseTime(last) - back * MINUTE_MS;
        if (!isInWindow(window, ms, parseTime)) overMs = ms;
        else {
          const endMs = endOfWindow(window, ms, parseTime);
          if (endMs === undefined) isNot += 1;
          else isTold += 1;
          expect([ms, endMs ?? overMs]).toEqual([ms, overMs]);
        }
      }
    }
    expect(isTold).toBeGreaterThan(5 * isNot);
  });
});
