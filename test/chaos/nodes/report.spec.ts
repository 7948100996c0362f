import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CaseReport } from './run-case.js';
import { Report } from './report.js';

const case_ = (change: Partial<CaseReport> = {}): CaseReport => ({
  fault: 'owner kill -9',
  acknowledged: 40,
  refused: 1,
  failed: 2,
  unknown: 3,
  lost: 0,
  moves: 4,
  recoveryMs: [100, 300],
  broken: [],
  ...change,
});

let folder: string;
let book: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-book-'));
  book = join(folder, 'book.jsonl');
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('a book of chaos cases', () => {
  it('goes on where the run before ended, and says of which build and seed each line is', () => {
    const first = new Report({ book, build: 'a' });
    first.add(7, case_());
    first.addVoid(8, 'NATS restart');
    const second = new Report({ book, build: 'b' });
    second.add(9, case_());
    expect([second.times('owner kill -9'), second.voids('NATS restart')]).toEqual([2, 1]);
    expect(second.builds).toBe('a: 2 cases, b: 1 cases');
    expect(first.builds).toBeNull();
    const lines = readFileSync(book, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { build: 'a', seed: 7, report: { acknowledged: 40 } },
      { build: 'a', seed: 8, void: 'NATS restart' },
      { build: 'b', seed: 9 },
    ]);
  });

  it('keeps what was broken or did not end, which does not count as having come', () => {
    const report = new Report({ book, build: 'a' });
    report.add(1, case_({ broken: [{ promise: 'converged', text: 'not' }] }));
    report.addFailed(2, 'owner kill -9');
    report.add(3, case_());
    const later = new Report({ book, build: 'a' });
    expect([later.times('owner kill -9'), later.broken]).toEqual([1, 2]);
    expect(JSON.parse(later.json())).toMatchObject({ faults: [{ times: 2, broken: 2 }] });
  });

  it('goes on behind a line that was torn', () => {
    new Report({ book, build: 'a' }).add(1, case_());
    appendFileSync(book, '{"build":"a","se');
    new Report({ book, build: 'a' }).add(2, case_());
    expect(new Report({ book, build: 'a' }).times('owner kill -9')).toBe(2);
  });
});
