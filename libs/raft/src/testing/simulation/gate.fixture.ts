import { describe, expect, it } from 'vitest';
import { runSeeds } from './run-seeds.js';

/** Events of one seed's run, and seeds of one part of the gate: four parts make 262. */
const EVENTS = 20_000;
const FIXED = 50;
const FRESH = 15;
/** Beyond those, the last part's: planted bugs that all others miss are found by these. */
const RARE = [218, 295];

/** What every part of the gate must have reached at least once, and most of it very often. */
const MUST_REACH = [
  'leader elected',
  'leader elected in a joint configuration',
  'leader elected that is leaving',
  'leader gave up',
  'leader gave up: its disk hangs',
  'leader met a later term',
  'leader left',
  'leader stays whose state machine stands still',
  'leader replaced that could not commit',
  'pre-vote refused: a leader is heard',
  'voter deaf to its leader',
  'removed node left running',
  'log truncated by one',
  'log truncated by two or more',
  'joint configuration truncated',
  'append refused',
  'snapshot sent',
  'snapshot installed',
  'snapshot over a conflicting log',
  'configuration proposed',
  'configuration committed',
  'learner made a voter',
  'change refused: change-under-way',
  'change refused: not-caught-up',
  'change refused: unhealthy',
  'dead node replaced, up to its vote',
  'node replaced under its old id',
  'start refused: what was durable is damaged',
  'crash in a joint configuration',
  'crash: kept',
  'crash: lost',
  'crash: nothing',
  'crash: torn',
  'leader read',
  'follower read',
  'applied while writing',
  'read while writing',
  'message doubled',
  'old message replayed',
  'transfer begun',
  'transfer done',
] as const;

/** A quarter of the gate's seeds, so that as many workers share them: fixed ones and fresh ones. */
export function describeGate(part: 0 | 1 | 2 | 3): void {
  const first = 1 + part * FIXED;
  const fresh = 1_000_000 + Math.floor(Math.random() * 1_000_000_000);

  describe(`simulated clusters, part ${part + 1} of 4`, { timeout: 600_000 }, () => {
    it(`seeds ${first} to ${first + FIXED - 1}`, () => {
      const { reached } = runSeeds({ from: first, count: FIXED, events: EVENTS });
      for (const what of MUST_REACH) expect(reached[what] ?? 0, what).toBeGreaterThan(0);
    });

    if (part === 3) {
      it.each(RARE)('seed %d', (seed) => {
        const { committed } = runSeeds({ from: seed, count: 1, events: EVENTS });
        expect(committed).toBeGreaterThan(20);
      });
    }

    it(`fresh seeds ${fresh} to ${fresh + FRESH - 1}`, () => {
      const { committed } = runSeeds({ from: fresh, count: FRESH, events: EVENTS });
      expect(committed).toBeGreaterThan(FRESH * 20);
    });

    it('two runs of one seed are the same', () => {
      const run = (from: number) => runSeeds({ from, count: 3, events: 5_000 });
      expect(run(first)).toEqual(run(first));
      expect(run(first).traces).not.toEqual(run(first + 3).traces);
    });
  });
}
