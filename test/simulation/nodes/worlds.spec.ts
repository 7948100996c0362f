import { describe, expect, it } from 'vitest';
import { runNodes } from './run-nodes.js';

const EVENTS = 12_000;
const FIXED = { from: 88, count: 24, events: EVENTS };
const FRESH = { from: Math.floor(Math.random() * 2 ** 31), count: 6, events: EVENTS };
const TIME = { timeout: 600_000 };

/** What the fixed seeds must reach, or they show nothing. */
const MUST_REACH = [
  'owner paused inside a commit: begin',
  'owner paused inside a commit: fence',
  'owner paused inside a commit: write',
  'owner paused inside a commit: commit',
  'owner paused inside a commit: committed',
  'shard taken over',
  'shard given up inside a commit',
  'fenced: commit',
  'fenced: mark',
  'fenced: status',
  'outcome unknown: commit',
  'write: outcome-unknown',
  'a request repeated with its key',
  'a group of commands committed',
  'quorum without majority',
  'write without majority',
  'machine suspended',
  'monotonic clock jumped',
  'wall clock set',
  'PostgreSQL refuses',
  'PostgreSQL stalls',
  'PostgreSQL restarts',
  'NATS restarts',
  'NATS loses and repeats messages',
  'streams deleted',
  'published again',
  'older copy restored',
  'standby promoted that lagged',
  'what was acknowledged is lost',
  'a loss that the quorum tells of',
  'write: truth-behind',
  'restore accepted',
  'planned stop done',
  'node killed',
  'consumer killed',
];

describe('worlds of whole nodes', () => {
  it('are decided by their seed', TIME, async () => {
    const one = { ...FIXED, count: 1 };
    expect(await runNodes(one)).toEqual(await runNodes(one));
  });

  it(
    `keep every invariant, and reach what matters, with ${FIXED.count} fixed seeds`,
    TIME,
    async () => {
      const { reached } = await runNodes(FIXED);
      console.table(reached);
      expect(MUST_REACH.filter((what) => reached[what] === undefined)).toEqual([]);
    },
  );

  it(`keep every invariant with ${FRESH.count} fresh seeds from ${FRESH.from}`, TIME, async () => {
    await runNodes(FRESH);
  });
});
