import type { Timer } from '@pawl/kernel';

/** The event loop's timers. */
export const systemTimer: Timer = {
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
