import { QuorumWorld } from './quorum-world.js';
import type { MakeQuorum, WorldReport } from './quorum-world.js';

export interface WorldsReport extends Omit<WorldReport, 'trace'> {
  readonly traces: readonly number[];
}

/** Runs `count` seeds from `from` on; throws, naming the seed, at the first broken invariant. */
export async function runWorlds(options: {
  readonly from: number;
  readonly count: number;
  readonly events: number;
  readonly makeQuorum?: MakeQuorum;
}): Promise<WorldsReport> {
  const { from, count, events, makeQuorum } = options;
  const reached: Record<string, number> = {};
  const traces: number[] = [];
  let [calls, answered, unknown, revisions] = [0, 0, 0, 0];
  for (let seed = from; seed < from + count; seed += 1) {
    const report = await runOne(seed, events, makeQuorum);
    for (const [what, often] of Object.entries(report.reached)) {
      reached[what] = (reached[what] ?? 0) + often;
    }
    calls += report.calls;
    answered += report.answered;
    unknown += report.unknown;
    revisions += report.revisions;
    traces.push(report.trace);
  }
  return { reached, calls, answered, unknown, revisions, traces };
}

async function runOne(
  seed: number,
  events: number,
  makeQuorum: MakeQuorum | undefined,
): Promise<WorldReport> {
  try {
    return await new QuorumWorld(seed, makeQuorum).run(events);
  } catch (error) {
    if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`;
    throw error;
  }
}
