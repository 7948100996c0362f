import { median, show } from '../../lib/report.mjs';

/**
 * @typedef {Record<string, number>} Pass what one pass measured, by column
 * @typedef {object} Bar what `side` shall reach: a ratio to the reference, or a value of its own
 * @property {string} side
 * @property {string} column
 * @property {'ratio' | 'value'} of
 * @property {number} [atMost]
 * @property {number} [atLeast]
 */

/**
 * Sides that were measured by turns, the reference last, each against the reference: of a ratio the
 * median of the passes, with the lowest and the highest.
 *
 * @param {{ title: string, sides: Record<string, Pass[]>, bars?: readonly Bar[] }} measured
 */
export function compare({ title, sides, bars = [] }) {
  const names = Object.keys(sides);
  const reference = names[names.length - 1];
  const columns = Object.keys(sides[reference][0]);
  const values = Object.fromEntries(
    names.map((name) => [name, eachColumn(columns, (column) => middle(sides[name], column))]),
  );
  const ratios = Object.fromEntries(
    names
      .filter((name) => name !== reference)
      .map((name) => [
        name,
        eachColumn(columns, (column) => ratioOf(sides[name], sides[reference], column)),
      ]),
  );
  return {
    title,
    columns,
    reference,
    values,
    ratios,
    bars: bars.map((bar) => judge(bar, { values, ratios })),
  };
}

function eachColumn(columns, of) {
  return Object.fromEntries(columns.map((column) => [column, of(column)]));
}

function middle(passes, column) {
  return median(passes.map((pass) => pass[column]));
}

function ratioOf(passes, references, column) {
  const ratios = passes
    .map((pass, at) => pass[column] / references[at][column])
    .sort((a, b) => a - b);
  return { median: median(ratios), lowest: ratios[0], highest: ratios[ratios.length - 1] };
}

function judge(bar, { values, ratios }) {
  const { side, column, of, atMost = Infinity, atLeast = -Infinity } = bar;
  const measured = of === 'ratio' ? ratios[side][column].median : values[side][column];
  const limit = atMost === Infinity ? `>= ${atLeast}` : `<= ${atMost}`;
  return { side, column, of, limit, measured, met: measured <= atMost && measured >= atLeast };
}

/** @param {ReturnType<typeof compare>[]} comparisons all with the same columns @returns {string} */
export function describe(comparisons) {
  const [{ columns }] = comparisons;
  const rows = [['', '', ...columns]];
  const notes = [];
  for (const { title, reference, values, ratios, bars } of comparisons) {
    const lines = [
      ...Object.entries(values).map(([name, own]) => [
        name,
        ...columns.map((column) => shown(own[column])),
      ]),
      ...Object.entries(ratios).map(([name, own]) => [
        `${name} / ${reference}`,
        ...columns.map((column) => showRatio(own[column])),
      ]),
    ];
    rows.push(...lines.map((line, at) => [at === 0 ? title : '', ...line]));
    for (const { side, column, of, limit, measured, met } of bars) {
      const value = of === 'ratio' ? `${shown(measured)}x` : shown(measured);
      notes.push(
        `${met ? 'met   ' : 'MISSED'} ${title}: ${side}, ${column}${of === 'ratio' ? ` to ${reference}` : ''}: ${value} (bar ${limit})`,
      );
    }
  }
  return [...align(rows), ...notes].map((line) => `  ${line}`.trimEnd()).join('\n');
}

function showRatio({ median: value, lowest, highest }) {
  if (!Number.isFinite(value)) return '';
  return lowest === highest
    ? `${shown(value)}x`
    : `${shown(value)}x [${shown(lowest)}..${shown(highest)}]`;
}

function shown(value) {
  return Number.isFinite(value) ? show(value) : '-';
}

function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  '));
}
