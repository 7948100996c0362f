import { describe, expect, it } from 'vitest';
import { firstFind, SEEDS } from './find-bug.js';
import { PLANTED_RELEASE_BUGS } from './planted-release-bugs.js';

const TIME = { timeout: 600_000 };

describe('the worlds with releases in stages find planted bugs', () => {
  it.each(PLANTED_RELEASE_BUGS)('$name', TIME, async (bug) => {
    const found = await firstFind(bug);
    expect(found, `not found by ${SEEDS} seeds`).toMatch(bug.finds);
  });
});
