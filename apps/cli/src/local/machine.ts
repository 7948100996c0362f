import type { MemberOptions } from '@pawl/metadata';

/** The machine's clocks. */
export const machineClock: MemberOptions['clock'] = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** The event loop's timers. */
export const machineTimer: MemberOptions['timer'] = {
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
