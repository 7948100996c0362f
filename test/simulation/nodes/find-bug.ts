import { loadSources } from '../sources.mjs';
import type { PlantedBug } from './planted-bugs.js';
import type { runNodes } from './run-nodes.js';

const RUN_NODES = 'test/simulation/nodes/run-nodes.ts';
const EVENTS = 12_000;
/** Asked when the seed that found a bug last finds it no more. */
export const SEEDS = 60;

/**
 * The first violation that shows what the bug does, else all those that it also led to. Anything but a
 * broken invariant is thrown on.
 */
export async function firstFind(bug: PlantedBug): Promise<string> {
  const { edits, finds, seed, staged } = bug;
  const loaded = (await loadSources(RUN_NODES, edits)) as { runNodes: typeof runNodes };
  const others = Array.from({ length: SEEDS }, (_, at) => at + 1);
  const found: string[] = [];
  for (const from of [seed, ...others.filter((other) => other !== seed)]) {
    try {
      await loaded.runNodes({ from, count: 1, events: EVENTS, staged: staged === true });
    } catch (error) {
      const { name, message } = error as Error;
      if (name !== 'ViolationError') throw error;
      if (!finds.test(message)) {
        found.push(message);
        continue;
      }
      // A search costs a minute of a processor; the seed that is noted, a second.
      if (from !== seed) console.log(`${bug.name}: found by seed ${from}, not by ${seed}: note it`);
      return message;
    }
  }
  return found.join('\n');
}
