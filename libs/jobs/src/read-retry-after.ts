import type { IncomingHttpHeaders } from 'node:http';

/**
 * How long a server asks to be left alone, milliseconds from now, from 0: `Retry-After` of RFC 9110, in
 * seconds or as an HTTP date. A date is measured by the answer's own `Date` where there is one, so that no
 * two clocks have to agree. `undefined`: it asks for nothing, or for nothing that is understood.
 */
export function readRetryAfter(headers: IncomingHttpHeaders, nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const atMs = httpDate(text);
  if (atMs === undefined) return undefined;
  return Math.max(0, atMs - (httpDate(headers.date ?? '') ?? nowMs));
}

/** As servers write it today: `Sun, 06 Nov 1994 08:49:37 GMT`. */
function httpDate(text: string): number | undefined {
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text))
    return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
