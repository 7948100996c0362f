import { describe, expect, it } from 'vitest';
import { runWorlds } from './run-worlds.js';

const EVENTS = 20_000;
const FIXED = { from: 1, count: 20 };

/** What the fixed seeds must have reached, most of it very often. */
const MUST_REACH = [
  'leader crashed',
  'follower crashed',
  'process paused',
  'node isolated',
  'links cut one way',
  'disk hung',
  'network disturbed',
  'transfer: done',
  'member added',
  'member removed',
  'removed node stopped',
  'lease ran out',
  'renewal of an ended lease',
  'watch lost its node',
  'watch resumed',
  'watch compacted',
  'watch too slow',
  'call: ok',
  'call: refused',
  'call: failed',
  'call: unknown',
] as const;

describe('simulated worlds', { timeout: 600_000 }, () => {
  it(`seeds ${FIXED.from} to ${FIXED.from + FIXED.count - 1}`, async () => {
    const { reached, calls, answered } = await runWorlds({ ...FIXED, events: EVENTS });
    for (const what of MUST_REACH) expect(reached[what] ?? 0, what).toBeGreaterThan(0);
    expect(answered).toBeGreaterThan(calls / 2);
  });

  it('two runs of one seed are the same', async () => {
    const run = (from: number) => runWorlds({ from, count: 2, events: 5_000 });
    expect(await run(1)).toEqual(await run(1));
    expect((await run(1)).traces).not.toEqual((await run(3)).traces);
  });
});
