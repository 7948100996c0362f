import { describe, expect, it } from 'vitest';
import { runWorlds } from './run-worlds.js';

/** Many short worlds: each comes to rest and is judged. The long ones are in worlds.spec.ts. */
const FRESH = { count: 50, events: 8_000 };

describe('simulated worlds', { timeout: 1_200_000 }, () => {
  const from = 1_000_000 + Math.floor(Math.random() * 1_000_000_000);
  it(`fresh seeds ${from} to ${from + FRESH.count - 1}, ${FRESH.events} events each`, async () => {
    const { answered } = await runWorlds({ from, ...FRESH });
    expect(answered).toBeGreaterThan(FRESH.count * 20);
  });
});
