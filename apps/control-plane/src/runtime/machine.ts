import type { Clock, Scheduler, Timer } from '@pawl/kernel';

/** The machine's clocks. */
export const machineClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** The event loop's timers. They do not keep the process alive by themselves. */
export const machineTimer: Timer = {
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Lets everything that waits in the event loop run once. */
export const machineScheduler: Scheduler = {
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};
