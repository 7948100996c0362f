import type { Clock, Timer } from '@pawl/kernel';

/** The machine's clock and timers, for tests that run in real time. */
export const systemTime: Clock & Timer = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timeout = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};
