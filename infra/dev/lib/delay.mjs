import { setTimeout as sleep } from 'node:timers/promises';
import { Stopped } from './failure.mjs';

/**
 * @param {number} ms
 * @param {AbortSignal} [signal] rejects with `Stopped` when it fires
 */
export async function delay(ms, signal) {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw new Stopped();
  }
}

/**
 * Asks again and again until the answer is neither `undefined` nor `false`, or time is up.
 *
 * @template T
 * @param {() => Promise<T | undefined | false> | T | undefined | false} ask
 * @param {{ deadlineMs: number, everyMs?: number, signal?: AbortSignal }} options
 * @returns {Promise<T | undefined>} `undefined` when time is up
 */
export async function poll(ask, { deadlineMs, everyMs = 25, signal }) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() >= end) return undefined;
    await delay(everyMs, signal);
  }
}
