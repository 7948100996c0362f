import { describe, expect, it } from 'vitest';
import { durationText, parseBake, parseDuration } from './duration.js';

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['0s', 0],
    ['596h', 2_145_600_000],
  ])('is read: %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '5', 'm', '1.5m', '-1s', '5 m', '5min', '597h', '9999999999h'])(
    'is not: %s',
    (text) => {
      expect(() => parseDuration(text)).toThrow(/a duration is/);
    },
  );

  it('of a bake is a week at most', () => {
    expect(parseBake('168h')).toBe(604_800_000);
    expect(() => parseBake('604801s')).toThrow('a bake is at most 168h');
  });

  it.each([
    [0, '0s'],
    [1, '1s'],
    [59_001, '1m'],
    [250_000, '4m 10s'],
    [300_000, '5m'],
    [3_600_000, '1h'],
    [3_900_500, '1h 5m'],
    [604_800_000, '168h'],
  ])('is told by its largest units: %d', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});
