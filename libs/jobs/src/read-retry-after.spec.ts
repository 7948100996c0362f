import { describe, expect, it } from 'vitest';
import { readRetryAfter } from './read-retry-after.js';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const LATER = 'Fri, 02 Jan 2026 03:05:05 GMT';
const read = (text: string | undefined, date?: string): number | undefined =>
  readRetryAfter({ ...(text === undefined ? {} : { 'retry-after': text }), date }, NOW);

describe('Retry-After', () => {
  it('is in seconds, or a date', () => {
    expect(read('0')).toBe(0);
    expect(read(' 90 ')).toBe(90_000);
    expect(read(LATER)).toBe(60_000);
  });

  it('is measured by the clock of whoever answers, and is never over already', () => {
    expect(read(LATER, 'Fri, 02 Jan 2026 03:05:00 GMT')).toBe(5_000);
    expect(read(LATER, 'Sat, 03 Jan 2026 03:05:00 GMT')).toBe(0);
    expect(read(LATER, 'yesterday')).toBe(60_000);
  });

  it.each([undefined, '', '-1', '1.5', '1e3', 'soon', '2026-01-02T03:05:05Z', '0x10'])(
    'is not there in %s',
    (text) => expect(read(text)).toBeUndefined(),
  );
});
