import { describe, expect, it } from 'vitest';
import { runWorlds } from './run-worlds.js';

const EVENTS = 20_000;
const FIXED = { from: 1, count: 17 };
const FRESH = 4;

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

describe('simulated worlds', { timeout: 600_000 }, () => {
  it(`seeds ${FIXED.from} to ${FIXED.from + FIXED.count - 1}`, async () => {
    const { reached, calls, answered } = await runWorlds({ ...FIXED, events: EVENTS });
    for (const what of MUST_REACH) expect(reached[what] ?? 0, what).toBeGreaterThan(0);
    expect(answered).toBeGreaterThan(calls / 2);
  });

  const fresh = 1_000_000 + Math.floor(Math.random() * 1_000_000_000);
  it(`fresh seeds ${fresh} to ${fresh + FRESH - 1}`, async () => {
    const { answered } = await runWorlds({ from: fresh, count: FRESH, events: EVENTS });
    expect(answered).toBeGreaterThan(FRESH * 50);
  });

  it('two runs of one seed are the same', async () => {
    const run = (from: number) => runWorlds({ from, count: 2, events: 5_000 });
    expect(await run(1)).toEqual(await run(1));
    expect((await run(1)).traces).not.toEqual((await run(3)).traces);
  });
});
