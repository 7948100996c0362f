import { HeldLease } from './held-lease.js';
import type { World } from './world.js';

/** Longer than the others take to elect another, at times; and for how long clients prefer it then. */
const STILL_MS = { min: 500, max: 1_500 };
const PREFERRED_MS = 500;
const TTL_MS = { min: 500, max: 2_000 };

/**
 * A leader stands still and is cut off while the others go on without it; when it goes on it does not
 * know yet, and clients reach nobody as often. One renews a lease there, for the last time.
 */
export function strandLeader(world: World): void {
  const { rng } = world;
  const between = ({ min, max }: typeof STILL_MS): number => min + rng.next() * (max - min);
  HeldLease.take(world, 'stranded', Math.floor(between(TTL_MS)), (lease) => {
    const leader = world.leader();
    if (lease === null || leader === null || world.isOver) return;
    const { network } = world.quorum.logs;
    network.isolate(leader.id, world.quorum.processes.keys());
    world.stalled('pause');
    leader.time.pause();
    world.later(between(STILL_MS), () => {
      leader.time.resume();
      if (!world.isRunning(leader)) return;
      world.reached('leader stranded');
      world.preferred = leader;
      lease.renew((outcome) => world.reached(`renewal at a stranded leader: ${outcome}`), leader);
      world.later(PREFERRED_MS, () => {
        world.preferred = null;
        network.heal();
      });
    });
  });
}
