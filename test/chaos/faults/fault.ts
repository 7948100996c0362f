import type { Rng } from '@pawl/kernel';
import type { Cluster } from '../cluster/cluster.js';

/** What a fault did, for the counts of a run. */
export interface FaultTally {
  kills: number;
  pauses: number;
  cuts: number;
  transfers: number;
  /** Disks that hung. */
  stalls: number;
  /** Disks that failed or were full. */
  diskErrors: number;
}

export const noFaults = (): FaultTally => ({
  kills: 0,
  pauses: 0,
  cuts: 0,
  transfers: 0,
  stalls: 0,
  diskErrors: 0,
});

export interface FaultContext {
  readonly cluster: Cluster;
  readonly rng: Rng;
  readonly tally: FaultTally;
  /** Ends the wait early. */
  readonly signal: AbortSignal;
  /** Resolves after so long, or at the signal. */
  wait(ms: number): Promise<void>;
}

/** One kind of harm. `strike` does it once and undoes it; it takes a few election timeouts. */
export interface Fault {
  readonly name: string;
  readonly strike: (context: FaultContext) => Promise<void>;
}

export function pick<T>(rng: Rng, list: readonly T[]): T {
  const item = list[rng.below(list.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** In [least, most) times the election timeout, in milliseconds. */
export function elections({ cluster, rng }: FaultContext, least: number, most: number): number {
  return cluster.electionMs * (least + rng.next() * (most - least));
}
