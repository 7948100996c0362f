/** Of what others say, this much is shown and kept. */
const MAX_LENGTH = 300;

/**
 * What others say, fit for one line of a log and for a database: no control characters, no half of a
 * surrogate pair, and cut off.
 */
export function shortText(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  const short = line.length <= MAX_LENGTH ? line : `${line.slice(0, MAX_LENGTH)}…`;
  return short.replace(/\p{Cs}/gu, '\uFFFD');
}
