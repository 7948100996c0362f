import type { SimulatedLog } from '../simulated-log.js';
import type { SimulatedProcess } from '../simulated-logs.js';
import type { ProcessTime } from '../process-time.js';

/** What a clock shows, in milliseconds; `steadyMs` without its jumps. */
export interface LeaderMoment {
  readonly ms: number;
  readonly steadyMs: number;
}

/**
 * The time by the monotonic clocks of leaders, by which leases are counted: it goes on as the fastest
 * clock of those who believe that they lead, and not while nobody does. A lease whose time has passed
 * by this clock has had all that was promised, whoever led meanwhile and however their clocks ran.
 */
export class LeaderTime {
  #ms = 0;
  #steadyMs = 0;
  #leading = new Map<SimulatedLog, { readonly time: ProcessTime; readonly shown: LeaderMoment }>();

  constructor(private readonly processes: ReadonlyMap<string, SimulatedProcess>) {}

  /** To be called at every event, so that nobody leads unseen. */
  now(): LeaderMoment {
    let [ms, steadyMs] = [0, 0];
    for (const { time, shown } of this.#leading.values()) {
      const now = shownBy(time);
      ms = Math.max(ms, now.ms - shown.ms);
      steadyMs = Math.max(steadyMs, now.steadyMs - shown.steadyMs);
    }
    this.#ms += ms;
    this.#steadyMs += steadyMs;
    this.#leading.clear();
    for (const { log, time } of this.processes.values()) {
      if (log.leads) this.#leading.set(log, { time, shown: shownBy(time) });
    }
    return { ms: this.#ms, steadyMs: this.#steadyMs };
  }
}

function shownBy(time: ProcessTime): LeaderMoment {
  const ms = time.monotonicMs();
  return { ms, steadyMs: ms - time.jumpedMs };
}
