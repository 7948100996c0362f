import { describe, expect, it } from 'vitest';
import { firstFind, SEEDS } from './find-bug.js';
import { PLANTED_BUGS } from './planted-bugs.js';

const TIME = { timeout: 600_000 };

describe('the worlds of whole nodes find planted bugs', () => {
  it('have bugs to find, each with a name of its own', () => {
    expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
  });

  it.each(PLANTED_BUGS)('$name', TIME, async (bug) => {
    const found = await firstFind(bug);
    expect(found, `not found by ${SEEDS} seeds`).toMatch(bug.finds);
  });
});
