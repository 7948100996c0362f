import type { FreezeWindow } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import { endOfWindow, isInWindow } from './freeze-window.js';

/** So many ends are followed, one after the other. */
const MAX_ENDS = 50;
/** So often a window is asked whether it holds. */
const MAX_ASKED = 1_000;

/**
 * The first time from now on at which none of these holds, by the wall clock, milliseconds: where one ends
 * while, or just as, another one holds, it is when that one ends, and so on. `undefined` where that is not
 * known: what holds then has no end that is known, or none comes after `MAX_ENDS` of them or `MAX_ASKED`
 * questions.
 */
export function endOfWindows(
  windows: readonly FreezeWindow[],
  nowMs: number,
  parseTime: EngineContext['parseTime'],
): number | undefined {
  const times = Math.min(MAX_ENDS + 1, Math.floor(MAX_ASKED / Math.max(1, windows.length)));
  let atMs = nowMs;
  for (let time = 0; time < times; time += 1) {
    const held = windows.filter((window) => isInWindow(window, atMs, parseTime));
    if (held.length === 0) return atMs;
    const ends = held.flatMap((window) => endOfWindow(window, atMs, parseTime) ?? []);
    if (ends.length === 0) return undefined;
    atMs = Math.max(...ends);
  }
  return undefined;
}
