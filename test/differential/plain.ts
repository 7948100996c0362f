/**
 * A value as text that is equal for equal values, whoever made them: bytes as hexadecimal, fields in
 * the order of their names, those left out or undefined not at all.
 */
export function plain(value: unknown): string {
  return JSON.stringify(simple(value), null, 1);
}

function simple(value: unknown): unknown {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return value.map(simple);
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(
    fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, field]) => [name, simple(field)]),
  );
}

const SHOWN_LINES = 12;

/**
 * Throws where two values differ, with the lines round the first difference; a test runner's own
 * comparison would take minutes over long ones.
 */
export function assertSame(ours: unknown, theirs: unknown, about: unknown): void {
  const [a, b] = [plain(ours), plain(theirs)];
  if (a === b) return;
  const [left, right] = [a.split('\n'), b.split('\n')];
  const at = left.findIndex((line, index) => line !== right[index]);
  const around = (lines: readonly string[]) =>
    lines.slice(Math.max(0, at - SHOWN_LINES), at + SHOWN_LINES).join('\n');
  throw new Error(
    `asked ${plain(about)}\nours, from line ${at}:\n${around(left)}\ntheirs:\n${around(right)}`,
  );
}
