import type { Clock, Rng, Timer } from '@pawl/kernel';

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Keeps the process alive while something is pending. */
export const foregroundTimer: Timer = {
  after: (delayMs, callback) => {
    const timeout = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** Does not keep the process alive. */
export const backgroundTimer: Timer = {
  after: (delayMs, callback) => {
    const timeout = setTimeout(callback, delayMs);
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** For jitter, not for secrets. */
export const systemRng: Rng = {
  next: () => Math.random(),
  below: (bound) => Math.floor(Math.random() * bound),
};
