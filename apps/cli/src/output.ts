import { stringify } from 'yaml';
import type { Terminal } from './terminal.js';

export type OutputFormat = 'table' | 'json' | 'yaml';

/** Columns padded to their widest cell, two spaces apart, headings in capitals. */
export function table(headings: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [headings.map((heading) => heading.toUpperCase()), ...rows.map(textRow)];
  const widths = headings.map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length)),
  );
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

function textRow(row: readonly unknown[]): string[] {
  return row.map((cell) => {
    if (cell === null || cell === undefined) return '-';
    const text = typeof cell === 'string' ? cell : JSON.stringify(cell);
    return plain(text);
  });
}

/** A text on one line, without what would steer a terminal: also U+0080 to U+009F do. */
export function plain(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

/** The same of a text of several lines. */
export function plainText(text: string): string {
  return text.split('\n').map(plain).join('\n');
}

/** Each on a line of its own, without control characters. */
export function plainLines(lines: readonly string[]): string {
  return lines.map((line) => `${plain(line)}\n`).join('');
}

/** Prints a value for machines, or calls `human` for people. */
export function print(
  terminal: Terminal,
  format: OutputFormat,
  value: unknown,
  human: () => string,
): void {
  if (format === 'json') terminal.out(`${JSON.stringify(value, null, 2)}\n`);
  else if (format === 'yaml') terminal.out(stringify(value));
  else terminal.out(human());
}

/** `[#####-----] 12/24`, as wide as fits. */
export function bar(done: number, total: number, columns: number): string {
  const width = Math.max(10, Math.min(40, columns - 40));
  const filled = total === 0 ? 0 : Math.floor((done / total) * width);
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${done}/${total}`;
}
