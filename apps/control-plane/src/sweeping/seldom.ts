import type { Clock } from '@pawl/kernel';

/**
 * Passes on the first of what comes in quick succession, and then one per `everyMs` at most, with how many
 * were left out since the one before.
 */
export function seldom<T>(
  say: (what: T, leftOut: number) => void,
  everyMs: number,
  clock: Pick<Clock, 'monotonicMs'>,
): (what: T) => void {
  let saidMs = -Infinity;
  let leftOut = 0;
  return (what) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - saidMs < everyMs) {
      leftOut += 1;
      return;
    }
    say(what, leftOut);
    [saidMs, leftOut] = [nowMs, 0];
  };
}
