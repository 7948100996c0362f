import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { CaseReport } from './run-case.js';

/** What came of a case, or the fault that was void, or did not come to its end. */
type Outcome =
  { readonly report: CaseReport } | { readonly void: string } | { readonly failed: string };

/** A line of a book of cases. */
type Entry = Outcome & {
  /** The commit of what was under test, `-dirty` where something was changed since. */
  readonly build: string;
  readonly seed: number;
};

export interface ReportOptions {
  /** A file that holds the cases of earlier runs, a line each; those of this one are added. */
  readonly book: string | null;
  readonly build: string;
}

interface Row {
  fault: string;
  times: number;
  void: number;
  acknowledged: number;
  refused: number;
  failed: number;
  unknown: number;
  lost: number;
  /** Cases with a broken promise, or that did not come to their end. */
  broken: number;
  moves: number;
  /** Milliseconds, over all harmed shards of all times; null when none was measured. */
  recoveryMedianMs: number | null;
  recoveryWorstMs: number | null;
}

/** What came of each fault: writes, losses and recovery times. */
export class Report {
  readonly #cases: CaseReport[] = [];
  readonly #voids: string[] = [];
  readonly #failed: string[] = [];
  readonly #builds = new Map<string, number>();

  constructor(private readonly options: ReportOptions) {
    if (options.book === null || !existsSync(options.book)) return;
    for (const line of wholeLines(options.book)) this.#take(JSON.parse(line) as Entry);
  }

  add(seed: number, report: CaseReport): void {
    this.#note(seed, { report });
  }

  /** The fault was not done, or too little went on meanwhile: nothing is proved. */
  addVoid(seed: number, fault: string): void {
    this.#note(seed, { void: fault });
  }

  /** The case did not come to its end. */
  addFailed(seed: number, fault: string): void {
    this.#note(seed, { failed: fault });
  }

  #note(seed: number, outcome: Outcome): void {
    const { book, build } = this.options;
    const entry: Entry = { build, seed, ...outcome };
    this.#take(entry);
    if (book !== null) appendFileSync(book, `${JSON.stringify(entry)}\n`);
  }

  #take(entry: Entry): void {
    this.#builds.set(entry.build, (this.#builds.get(entry.build) ?? 0) + 1);
    if ('void' in entry) this.#voids.push(entry.void);
    else if ('failed' in entry) this.#failed.push(entry.failed);
    else this.#cases.push(entry.report);
  }

  /** How often a fault came and broke no promise. */
  times(fault: string): number {
    return this.#cases.filter((one) => one.fault === fault && one.broken.length === 0).length;
  }

  /** Cases, of earlier runs too, that broke a promise or did not come to their end. */
  get broken(): number {
    return this.#failed.length + this.#cases.filter(({ broken }) => broken.length > 0).length;
  }

  /** Which builds the cases are of, where they are of several: a mend since then may be in the later ones only. */
  get builds(): string | null {
    if (this.#builds.size < 2) return null;
    return [...this.#builds].map(([build, cases]) => `${build}: ${cases} cases`).join(', ');
  }

  voids(fault: string): number {
    return this.#voids.filter((one) => one === fault).length;
  }

  /** One line per fault, with a head. */
  table(): string {
    const head = [
      'fault',
      'times',
      'void',
      'acknowledged',
      'refused',
      'not done',
      'unknown',
      'lost',
      'broken',
      'moves',
      'recovery: median',
      'worst',
    ];
    const lines = this.#rows().map((row) => [
      row.fault,
      ...[
        row.times,
        row.void,
        row.acknowledged,
        row.refused,
        row.failed,
        row.unknown,
        row.lost,
        row.broken,
        row.moves,
      ].map(String),
      seconds(row.recoveryMedianMs),
      seconds(row.recoveryWorstMs),
    ]);
    return layOut([head, ...lines]);
  }

  json(): string {
    return JSON.stringify({ faults: this.#rows() }, null, 2);
  }

  #rows(): Row[] {
    const came = this.#cases.map(({ fault }) => fault);
    const names = [...new Set([...came, ...this.#voids, ...this.#failed])];
    const rows = names.map((name) => this.#row(name, [name]));
    return names.length > 1 ? [...rows, this.#row('all', names)] : rows;
  }

  #row(title: string, names: readonly string[]): Row {
    const cases = this.#cases.filter(({ fault }) => names.includes(fault));
    const sum = (name: 'acknowledged' | 'refused' | 'failed' | 'unknown' | 'lost' | 'moves') =>
      cases.reduce((total, one) => total + one[name], 0);
    const times = cases.flatMap(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b);
    return {
      fault: title,
      times: cases.length,
      void: names.reduce((total, name) => total + this.voids(name), 0),
      acknowledged: sum('acknowledged'),
      refused: sum('refused'),
      failed: sum('failed'),
      unknown: sum('unknown'),
      lost: sum('lost'),
      broken:
        cases.filter(({ broken }) => broken.length > 0).length +
        this.#failed.filter((fault) => names.includes(fault)).length,
      moves: sum('moves'),
      recoveryMedianMs: rounded(times[Math.floor(times.length / 2)]),
      recoveryWorstMs: rounded(times.at(-1)),
    };
  }
}

/** A run that was ended while it wrote its last line left a part of it, which is taken out. */
function wholeLines(book: string): readonly string[] {
  const text = readFileSync(book, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) writeFileSync(book, whole);
  return whole.split('\n').filter((line) => line !== '');
}

/** One case in a line. */
export function describe({
  acknowledged,
  refused,
  failed,
  unknown,
  recoveryMs,
}: CaseReport): string {
  const worst = recoveryMs.length === 0 ? '–' : seconds(Math.max(...recoveryMs));
  return (
    `${acknowledged} acknowledged, ${refused} refused, ${failed} not done, ${unknown} unknown, ` +
    `recovered within ${worst}`
  );
}

const rounded = (ms: number | undefined): number | null =>
  ms === undefined ? null : Math.round(ms);

const seconds = (ms: number | null): string => (ms === null ? '–' : `${(ms / 1000).toFixed(1)} s`);

function layOut(table: readonly (readonly string[])[]): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((line) => (line[column] ?? '').length)),
  );
  return table
    .map((line) =>
      line
        .map((cell, at) =>
          at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}
