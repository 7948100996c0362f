import type { Rng } from '@pawl/kernel';
import type { NotTaken } from './webhook-sender.port.js';

/** Between the first two tries; twice as long after each, up to the longest, milliseconds. */
export const FIRST_RETRY_MS = 1_000;
export const LONGEST_RETRY_MS = 300_000;
/** What an endpoint asks for itself is heeded up to this, milliseconds. */
export const LONGEST_RETRY_AFTER_MS = 3_600_000;

/**
 * How long to wait after so many failures before this one, whole milliseconds: between half of the time
 * and all of it by chance, so that not all who failed together come together; and not less than was asked
 * for.
 */
export function retryWaitMs(failures: number, { retryAfterMs = 0 }: NotTaken, rng: Rng): number {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 30));
  const shortest = longest / 2;
  const asked = Math.min(Math.max(0, Math.ceil(retryAfterMs)), LONGEST_RETRY_AFTER_MS);
  return Math.max(asked, shortest + rng.below(longest - shortest + 1));
}
