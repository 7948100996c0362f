import { InvariantError } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS } from './planted-bugs.js';
import { plantedCore } from './planted-core.fixture.js';
import { runSeeds } from './simulation/index.js';
import type { MakeCore } from './simulation/index.js';

/** The seeds of one gate run at most; most bugs are found by the first few. */
const SEEDS = 300;
const EVENTS = 20_000;

/** The first violation, or `null`. Anything but a broken invariant is thrown on. */
function firstFind(makeCore: MakeCore, seeds: number): { seed: number; what: string } | null {
  for (let seed = 1; seed <= seeds; seed += 1) {
    try {
      runSeeds({ from: seed, count: 1, events: EVENTS, makeCore });
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      return { seed, what: error.message };
    }
  }
  return null;
}

describe('the simulation finds planted bugs', () => {
  it('finds nothing in the core as it is, loaded the same way', () => {
    expect(firstFind(plantedCore([]), 10)).toBeNull();
  });

  it('has bugs to find, each with a name of its own', () => {
    expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
    expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(16);
  });

  it.each(PLANTED_BUGS)('$name', { timeout: 600_000 }, ({ edits }) => {
    const find = firstFind(plantedCore(edits), SEEDS);
    expect(find, `not found by ${SEEDS} seeds`).not.toBeNull();
  });
});
