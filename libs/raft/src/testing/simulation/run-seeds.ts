import { RaftCore } from '../../core/index.js';
import { SimulatedCluster } from './simulated-cluster.js';
import type { Reached } from './simulated-cluster.js';
import type { MakeCore } from './simulated-node.js';

export interface SeedRange {
  readonly from: number;
  readonly count: number;
  /** Events of each seed's run. */
  readonly events: number;
  /** Makes the nodes' cores, also broken ones. */
  readonly makeCore?: MakeCore;
}

export interface SeedsResult {
  /** Sums over all seeds. */
  readonly reached: Reached;
  readonly committed: number;
  /** Of each seed in order. */
  readonly traces: readonly number[];
}

const SIZES = [3, 5, 7] as const;

/** Runs one simulation per seed, whose cluster has 3, 5 or 7 nodes by the seed. Throws what they do. */
export function runSeeds({ from, count, events, makeCore = makeRaftCore }: SeedRange): SeedsResult {
  const reached: Record<string, number> = {};
  const traces: number[] = [];
  let committed = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const size = SIZES[seed % SIZES.length] ?? 3;
    const result = new SimulatedCluster({ seed, size, makeCore }).run(events);
    for (const [what, often] of Object.entries(result.reached)) {
      reached[what] = (reached[what] ?? 0) + often;
    }
    traces.push(result.trace);
    committed += result.committed;
  }
  return { reached, committed, traces };
}

const makeRaftCore: MakeCore = (config, state) => new RaftCore(config, state);
