import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** What a timer takes: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;
const LONGEST_BAKE_MS = 168 * 3_600_000;

/** `60s`, `500ms`, `5m`: milliseconds, up to 24 days. */
export function parseDuration(text: string): number {
  const match = /^([0-9]{1,10})(ms|s|m|h)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('a duration is a number with ms, s, m or h');
  const ms = Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0);
  if (ms > LONGEST_MS) throw new InvalidArgumentError('a duration is at most 596h');
  return ms;
}

/** The same, up to a week. */
export function parseBake(text: string): number {
  const ms = parseDuration(text);
  if (ms > LONGEST_BAKE_MS) throw new InvalidArgumentError('a bake is at most 168h');
  return ms;
}

/** `1h 5m`, `4m 10s`, `45s`: its two largest units, a part of a second counted as a whole one. */
export function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 3_600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const from = parts.findIndex(([count]) => count > 0);
  if (from < 0) return '0s';
  return parts
    .slice(from, from + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}
