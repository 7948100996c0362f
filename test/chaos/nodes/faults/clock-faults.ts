import { eventually } from '../../../support/eventually.js';
import { Clocks } from '../world/clocks.js';
import { leaderOf } from '../world/quorum-view.js';
import {
  allShards,
  between,
  LEASE_TTL_MS,
  pick,
  someOwner,
  someWrites,
  wait,
  type FaultContext,
  type NodesFault,
} from './fault.js';
import { VoidError } from '../void-error.js';

const HOUR_S = 3_600;
/** Between what a node says its time is and what it should be. */
const TOLERANCE_S = 10;
const RATE = 5;
/** Less proves that the rate was not taken over: an answer tells whole seconds. */
const LEAST_RATE = 3;
const MEASURED_FOR_MS = 3_000;
const SEEN_WITHIN_MS = 10_000;

type Target = (context: FaultContext) => Promise<string>;
const owner: Target = async (context) => (await someOwner(context)).id;
const leader: Target = ({ world }) => eventually(() => leaderOf(world));

/** The wall clock is an hour wrong for one to three leases, and then right again. */
function jump(whose: string, target: Target): NodesFault {
  return {
    name: `wall clock of the ${whose} jumps`,
    does: `sets the wall clock of the ${whose} an hour ahead or back for one to three leases; writes must go on`,
    strike: async (context) => {
      const { world, rng } = context;
      const clocks = await Clocks.of(world, 'wall');
      const id = await target(context);
      const by = pick(rng, [HOUR_S, -HOUR_S]);
      await clocks.shift(id, by);
      try {
        await ahead(clocks, id, by);
        await someWrites(context, 10);
        await wait(between(rng, LEASE_TTL_MS, 3 * LEASE_TTL_MS));
      } finally {
        await clocks.shift(id, 0);
      }
      await ahead(clocks, id, 0);
      return { shards: allShards(context), since: performance.now() };
    },
  };
}

async function ahead(clocks: Clocks, id: string, by: number): Promise<void> {
  await eventually(async () => {
    const found = await clocks.aheadOf(id);
    if (Math.abs(found - by) > TOLERANCE_S)
      throw new VoidError(`the clock of ${id} is ahead by ${found} s, not by ${by} s`);
  }, SEEN_WITHIN_MS);
}

/** Time itself goes faster: leases, heartbeats and every other wait. */
function rate(whose: string, target: Target): NodesFault {
  return {
    name: `clock of the ${whose} runs ${RATE} times as fast`,
    does: `lets all clocks and timers of the ${whose} go ${RATE} times as fast for one to three leases, and ends and starts it`,
    strike: async (context) => {
      const { world, rng } = context;
      const clocks = await Clocks.of(world, 'all');
      const id = await target(context);
      await clocks.speed(id, RATE);
      try {
        await faster(clocks, id);
        await wait(between(rng, 0, 2 * LEASE_TTL_MS));
      } finally {
        // A monotonic clock cannot be put back under a process.
        await clocks.giveBack(id);
      }
      return { shards: allShards(context), since: performance.now() };
    },
  };
}

async function faster(clocks: Clocks, id: string): Promise<void> {
  await eventually(async () => {
    const before = await clocks.aheadOf(id);
    const since = performance.now();
    await wait(MEASURED_FOR_MS);
    const gained = (await clocks.aheadOf(id)) - before;
    const found = 1 + (gained * 1_000) / (performance.now() - since);
    if (found < LEAST_RATE) throw new VoidError(`the clock of ${id} runs ${found} times as fast`);
  }, SEEN_WITHIN_MS);
}

export const CLOCK_FAULTS: readonly NodesFault[] = [
  jump('owner', owner),
  jump('quorum leader', leader),
  rate('owner', owner),
  rate('quorum leader', leader),
];
