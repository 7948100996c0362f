import { InvariantError } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS } from './planted-bugs.js';
import { plantedCore } from './planted-core.fixture.js';
import { runSeeds } from './simulation/index.js';
import type { MakeCore } from './simulation/index.js';

/** The seeds of one gate run at most; most bugs are found by the first few. */
const SEEDS = 300;
const EVENTS = 20_000;

/** The first seeds that found what took some time to find: asked first, before all from 1 on. */
const FOUND_BY: Readonly<Record<string, number>> = {
  'own vote counted before it is durable': 6,
  'vote of an earlier term counted': 23,
  'removed node disturbs: a heard leader does not protect': 5,
  'hint of a refusal taken for an acknowledgement': 7,
  'write reported for entries that were replaced meanwhile': 101,
  'second change begun while one is under way': 10,
  'joint configuration elects by its new half alone': 7,
  'configuration kept whose entry was truncated': 16,
  'configuration of a snapshot ignored': 10,
  'snapshot takes back what is committed': 15,
  'snapshot deletes newer entries that match': 26,
  'snapshot keeps a suffix that conflicts': 218,
  'written entries forgotten because later ones were replaced meanwhile': 295,
};

/** The first violation, or `null`. Anything but a broken invariant is thrown on. */
function firstFind(
  makeCore: MakeCore,
  seeds: readonly number[],
): { seed: number; what: string } | null {
  for (const seed of seeds) {
    try {
      runSeeds({ from: seed, count: 1, events: EVENTS, makeCore });
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      return { seed, what: error.message };
    }
  }
  return null;
}

function upTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, at) => at + 1);
}

describe('the simulation finds planted bugs', () => {
  it('finds nothing in the core as it is, loaded the same way', () => {
    expect(firstFind(plantedCore([]), upTo(3))).toBeNull();
  });

  it('has bugs to find, each with a name of its own', () => {
    expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
    expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(16);
  });

  it.each(PLANTED_BUGS)('$name', { timeout: 600_000 }, ({ name, edits }) => {
    const likely = FOUND_BY[name];
    const first = likely === undefined ? [] : [likely];
    const find = firstFind(plantedCore(edits), [...first, ...upTo(SEEDS)]);
    expect(find, `not found by ${SEEDS} seeds`).not.toBeNull();
  });
});
