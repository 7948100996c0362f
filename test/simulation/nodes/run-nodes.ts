import { NodesWorld } from './nodes-world.js';
import type { NodesReport } from './nodes-world.js';

export interface NodesReports {
  readonly reached: Readonly<Record<string, number>>;
  readonly traces: readonly number[];
}

/** Runs `count` seeds from `from` on; throws, naming the seed, at the first broken invariant. */
export async function runNodes(options: {
  readonly from: number;
  readonly count: number;
  readonly events: number;
  /** Releases go in stages. */
  readonly staged?: boolean;
}): Promise<NodesReports> {
  const { from, count, events, staged = false } = options;
  const reached: Record<string, number> = {};
  const traces: number[] = [];
  for (let seed = from; seed < from + count; seed += 1) {
    const report = await runOne(seed, events, staged);
    for (const [what, often] of Object.entries(report.reached)) {
      reached[what] = (reached[what] ?? 0) + often;
    }
    traces.push(report.trace);
  }
  return { reached, traces };
}

async function runOne(seed: number, events: number, staged: boolean): Promise<NodesReport> {
  const world = new NodesWorld(seed, { staged });
  try {
    return await world.run(events);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const lines = world.log.slice(-12).map((line) => `\n  ${line}`);
    error.message = `seed ${seed}, ${events} events: ${error.message}${lines.join('')}`;
    throw error;
  }
}
