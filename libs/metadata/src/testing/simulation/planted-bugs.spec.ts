import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS } from './planted-bugs.js';
import { plantedQuorum } from './planted-quorum.fixture.js';
import type { MakeQuorum } from './quorum-world.js';
import { runWorlds } from './run-worlds.js';

/** Most bugs are found by the first few seeds. */
const SEEDS = 40;
const EVENTS = 12_000;
const TIME = { timeout: 600_000 };

/** The first seeds that found what took some time to find: asked first, before all from 1 on. */
const FOUND_BY: Readonly<Record<string, number>> = {
  'leases are renewed by a leader that has not confirmed its quorum': 6,
  'the time of leases is counted by the wall clock': 7,
  'a watch that keeps up is not told what is compacted in the turn that wrote it': 7,
};

/** The first violation, or `null`. Anything but a broken invariant is thrown on. */
async function firstFind(makeQuorum: MakeQuorum, seeds: readonly number[]): Promise<string | null> {
  for (const seed of seeds) {
    try {
      await runWorlds({ from: seed, count: 1, events: EVENTS, makeQuorum });
    } catch (error) {
      if ((error as Error).name !== 'InvariantError') throw error;
      return (error as Error).message;
    }
  }
  return null;
}

function upTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, at) => at + 1);
}

describe('the simulated worlds find planted bugs', () => {
  it('find nothing in the sources as they are, loaded the same way', TIME, async () => {
    expect(await firstFind(plantedQuorum([]), upTo(1))).toBeNull();
  });

  it('have bugs to find, each with a name of its own', () => {
    expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
  });

  it.each(PLANTED_BUGS)('$name', TIME, async ({ name, edits }) => {
    const likely = FOUND_BY[name];
    const first = likely === undefined ? [] : [likely];
    const found = await firstFind(plantedQuorum(edits), [...first, ...upTo(SEEDS)]);
    expect(found, `not found by ${SEEDS} seeds`).not.toBeNull();
  });
});
