import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS } from './planted-bugs.js';
import { plantedQuorum } from './planted-quorum.fixture.js';
import type { MakeQuorum } from './quorum-world.js';
import { runWorlds } from './run-worlds.js';

/** Most bugs are found by the first few seeds. */
const SEEDS = 40;
const EVENTS = 12_000;
const TIME = { timeout: 600_000 };

/** The first violation, or `null`. Anything but a broken invariant is thrown on. */
async function firstFind(makeQuorum: MakeQuorum, seeds: number): Promise<string | null> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    try {
      await runWorlds({ from: seed, count: 1, events: EVENTS, makeQuorum });
    } catch (error) {
      if ((error as Error).name !== 'InvariantError') throw error;
      return (error as Error).message;
    }
  }
  return null;
}

describe('the simulated worlds find planted bugs', () => {
  it('find nothing in the sources as they are, loaded the same way', TIME, async () => {
    expect(await firstFind(plantedQuorum([]), 3)).toBeNull();
  });

  it('have bugs to find, each with a name of its own', () => {
    expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
  });

  it.each(PLANTED_BUGS)('$name', TIME, async ({ edits }) => {
    const found = await firstFind(plantedQuorum(edits), SEEDS);
    expect(found, `not found by ${SEEDS} seeds`).not.toBeNull();
  });
});
