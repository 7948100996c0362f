import type { QuorumProcess } from '../simulated-quorum.js';
import type { World } from './world.js';

/** How fast clocks run that run wrongly. */
const RATES = [0.9, 1.1, 5] as const;
const HOUR_MS = 3_600_000;
const LONGEST_MS = 3_000;

/** Something is wrong with the clock of a process, more often than not of a leader's. */
export function disturbClock(world: World): void {
  const { rng } = world;
  const process = rng.below(3) > 0 ? world.leader() : world.pickProcess();
  if (process === null) return;
  const whose = process.host.log.status().role === 'leader' ? "leader's" : "follower's";
  switch (rng.below(5)) {
    case 0:
    case 1: {
      const rate = RATES[rng.below(RATES.length)] ?? 5;
      world.reached(`${whose} clock runs at ${rate}`);
      process.time.drift(rate);
      return world.later(100 + rng.next() * 2 * LONGEST_MS, () => world.setRight(process));
    }
    case 2:
      world.reached(`${whose} wall clock set`);
      return process.time.setWall(rng.below(2) === 0 ? HOUR_MS : -HOUR_MS);
    case 3:
      return jump(world, process, whose);
    default:
      world.reached(`${whose} machine suspended`);
      process.time.suspend();
      return world.later(100 + rng.next() * LONGEST_MS, () => process.time.resume());
  }
}

/** As after the sleep of a virtual machine whose clock is then put right: never back. */
function jump(world: World, process: QuorumProcess, whose: string): void {
  world.reached(`${whose} monotonic clock jumped`);
  world.stalled('jump');
  process.time.jump(HOUR_MS);
}
