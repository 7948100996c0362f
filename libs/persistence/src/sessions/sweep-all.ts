import type { Fence } from '@pawl/engine';
import type { FencedStatements } from './fenced-statements.js';

/** Rows deleted in one transaction, so that a sweep never holds the shard's lock for long. */
const SWEEP_ROWS = 1_000;

/** Calls a sweeping function until it finds less than its limit; answers how many rows went. `more` are its own arguments. */
export async function sweepAll(
  statements: FencedStatements,
  name: string,
  fence: Fence,
  [before, ...more]: readonly [before: string | number, ...more: (string | number)[]],
): Promise<number> {
  let total = 0;
  for (;;) {
    const swept = await statements.result<number>(name, fence, [before, SWEEP_ROWS, ...more]);
    total += swept;
    if (swept < SWEEP_ROWS) return total;
  }
}
