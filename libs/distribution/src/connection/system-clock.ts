import type { Clock, Timer } from '@pawl/kernel';

/** The machine's clocks. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** The event loop's timers. They do not keep the process alive by themselves. */
export const systemTimer: Timer = {
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
