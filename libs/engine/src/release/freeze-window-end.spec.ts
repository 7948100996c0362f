import type { FreezeWindow } from '@pawl/contracts';
import { describe, expect, it, vi } from 'vitest';
import { endOfWindows } from './freeze-window-end.js';
import { isInWindow } from './freeze-window.js';

type Times = Omit<FreezeWindow, 'reason'>;

const MINUTE_MS = 60_000;
const NOON = '2026-01-01T12:00:00.000Z';
const parseTime = (text: string): number => Date.parse(text);

function whole(windows: readonly Times[]): FreezeWindow[] {
  return windows.map((window) => ({ reason: 'calm', ...window }));
}

/** When none of these holds any more; nothing where that is not known. */
function endAt(windows: readonly Times[], now = NOON): string | undefined {
  const endMs = endOfWindows(whole(windows), parseTime(now), parseTime);
  return endMs === undefined ? undefined : new Date(endMs).toISOString();
}

/** An hour of the day of `NOON`, and of those after it. */
function hour(hours: number): string {
  return new Date(parseTime('2026-01-01T00:00:00Z') + hours * 60 * MINUTE_MS).toISOString();
}

describe('the end of several freezes by the clock', () => {
  it('is that of the last one that overlaps or adjoins, in whatever order they stand', () => {
    const [first, second] = [{ until: hour(14) }, { since: hour(13), until: hour(16) }];
    const [third, later] = [{ since: hour(16), until: hour(18) }, { since: hour(19) }];
    const all = [first, second, third, later];
    expect([endAt(all), endAt(all.toReversed())]).toEqual([hour(18), hour(18)]);
    expect(endAt([first, later])).toBe(hour(14));
    expect(endAt(all, hour(18))).toBe(hour(18));
  });

  it('goes on over those of every week and of other time zones', () => {
    const night = { from: '22:00', to: '06:00' };
    const evening = { from: '18:00', to: '22:00', days: ['thu'] } as const;
    const tokyo = { from: '15:00', to: '16:00', timeZone: 'Asia/Tokyo' };
    expect(endAt([tokyo, night, evening], hour(19))).toBe(hour(24 + 7));
  });

  it('is not known of those that end never, nor where what holds then has none', () => {
    const [day, night] = [
      { from: '06:00', to: '22:00' },
      { from: '22:00', to: '06:00' },
    ];
    expect(endAt([day, night])).toBeUndefined();
    expect(endAt([{ until: hour(14) }, { since: hour(13) }])).toBeUndefined();
    const moon = { from: '00:00', timeZone: 'Moon/Base' };
    expect(endAt([{ until: hour(14) }, moon])).toBeUndefined();
    expect(endAt([{ until: hour(14) }, { ...moon, until: hour(15) }])).toBe(hour(15));
  });

  it('is looked for through so many of them, and no more', () => {
    const inTurn = (count: number): Times[] =>
      Array.from({ length: count }, (_, at) => ({ since: hour(12 + at), until: hour(13 + at) }));
    expect(endAt(inTurn(30))).toBe(hour(42));
    const asked = vi.fn(parseTime);
    expect(endOfWindows(whole(inTurn(3_000)), parseTime(NOON), asked)).toBeUndefined();
    expect(endOfWindows(whole(inTurn(400)), parseTime(NOON), asked)).toBeUndefined();
    expect(asked.mock.calls.length).toBeLessThan(5_000);
  });

  it.each<[string, readonly Times[]]>([
    [
      '2026-03-31T12:00:00Z',
      [
        { from: '22:00', to: '02:30' },
        { from: '02:15', to: '05:00' },
      ],
    ],
    [
      '2026-10-27T12:00:00Z',
      [
        { from: '01:00', to: '02:30' },
        { from: '02:30', to: '03:30' },
      ],
    ],
    ['2026-03-31T12:00:00Z', [{ days: ['sat', 'sun'] }, { from: '00:00', to: '01:10' }]],
    ['2026-10-27T12:00:00Z', [{ days: ['sun'] }, { days: ['mon'], from: '00:00', to: '09:00' }]],
  ])('is where all are over for the first time, if anything: before %s of %j', (last, of) => {
    const windows = whole(of.map((window) => ({ ...window, timeZone: 'Europe/Berlin' })));
    let [isTold, isNot, overMs] = [0, 0, NaN];
    for (let back = 0; back < 4 * 24 * 60; back += 5) {
      const ms = parseTime(last) - back * MINUTE_MS;
      if (!windows.some((window) => isInWindow(window, ms, parseTime))) overMs = ms;
      const endMs = endOfWindows(windows, ms, parseTime);
      if (endMs === undefined) isNot += 1;
      else isTold += 1;
      expect([ms, endMs ?? overMs]).toEqual([ms, overMs]);
    }
    expect(isTold).toBeGreaterThan(5 * isNot);
  });
});
