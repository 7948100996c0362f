import type { SimulatedLog } from '../simulated-log.js';
import type { SimulatedProcess } from '../simulated-logs.js';
import type { ProcessTime } from '../process-time.js';

/** What a clock shows, in milliseconds; `steadyMs` without its jumps. */
export interface ClockMoment {
  readonly ms: number;
  readonly steadyMs: number;
}

/**
 * A moment by the two clocks by which leases are counted. Those of users go by the clocks of `leaders`,
 * and not on while nobody leads; Pawl's own, whose age every member knows, by those of `all`.
 */
export interface LeaseMoment {
  readonly leaders: ClockMoment;
  readonly all: ClockMoment;
}

/** A lease whose time has passed by its clock has had all that was promised, however clocks ran. */
export class LeaseTime {
  readonly #leaders: FastestClock;
  readonly #all: FastestClock;

  constructor(processes: ReadonlyMap<string, SimulatedProcess>) {
    this.#leaders = new FastestClock(processes, (log) => log.leads);
    this.#all = new FastestClock(processes, () => true);
  }

  /** To be called at every event, so that nobody leads unseen. */
  now(): LeaseMoment {
    return { leaders: this.#leaders.now(), all: this.#all.now() };
  }
}

/** Goes on as the fastest monotonic clock of those who count, and not while nobody does. */
class FastestClock {
  #ms = 0;
  #steadyMs = 0;
  #counting = new Map<SimulatedLog, { readonly time: ProcessTime; readonly shown: ClockMoment }>();

  constructor(
    private readonly processes: ReadonlyMap<string, SimulatedProcess>,
    private readonly counts: (log: SimulatedLog) => boolean,
  ) {}

  now(): ClockMoment {
    let [ms, steadyMs] = [0, 0];
    for (const { time, shown } of this.#counting.values()) {
      const now = shownBy(time);
      ms = Math.max(ms, now.ms - shown.ms);
      steadyMs = Math.max(steadyMs, now.steadyMs - shown.steadyMs);
    }
    this.#ms += ms;
    this.#steadyMs += steadyMs;
    this.#counting.clear();
    for (const { log, time } of this.processes.values()) {
      if (this.counts(log)) this.#counting.set(log, { time, shown: shownBy(time) });
    }
    return { ms: this.#ms, steadyMs: this.#steadyMs };
  }
}

function shownBy(time: ProcessTime): ClockMoment {
  const ms = time.monotonicMs();
  return { ms, steadyMs: ms - time.jumpedMs };
}
