import { describe, expect, it } from 'vitest';
import { runWorlds } from './run-worlds.js';

const EVENTS = 20_000;
const FIXED = { from: 1, count: 16 };

/** What the fixed seeds must have reached, most of it very often. */
const MUST_REACH = [
  'leader crashed',
  'follower crashed',
  'process paused',
  'node isolated',
  'leader stranded',
  'renewal at a stranded leader: unknown',
  'links cut one way',
  'disk hung',
  'network disturbed',
  "leader's clock runs at 0.9",
  "leader's clock runs at 1.1",
  "leader's clock runs at 5",
  "follower's clock runs at 5",
  "leader's wall clock set",
  "leader's monotonic clock jumped",
  "leader's machine suspended",
  'lease outlived a jump of a clock',
  'transfer: done',
  'member added',
  'member removed',
  'removed node stopped',
  'applied during a write',
  'applied during a snapshot',
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

describe('simulated worlds', { timeout: 1_200_000 }, () => {
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
