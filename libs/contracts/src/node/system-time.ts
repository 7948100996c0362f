import type { Clock, Timer } from '@pawl/kernel';

/** The machine's clocks. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** The event loop's timers. They keep the process alive while something is pending. */
export const foregroundTimer: Timer = {
  after: (delayMs, callback) => {
    const timeout = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** The same, and they do not keep the process alive. */
export const backgroundTimer: Timer = {
  after: (delayMs, callback) => {
    const timeout = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};
