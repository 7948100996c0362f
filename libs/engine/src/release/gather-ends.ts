import { isCandidate, slotName } from '@pawl/contracts';
import type { SnapshotRelease } from '@pawl/contracts';
import type { AddressNode } from '../sharding/root-tree.js';
import { releasesOf } from '../sharding/cohorts.js';
import { emptyRun, identityOf } from '../status/incarnation.js';
import type { ShardConsumers } from '../status/shard-consumers.js';

/** Whose instances of one workload ended without a goodbye. */
export interface Ends {
  /** Of candidates, by slot and address: the monotonic times at which that was known. */
  readonly candidates: Map<string, number[]>;
  /** The same of those that are none. */
  readonly rest: Map<string, number[]>;
  /** Live instances that are no candidates. */
  restLive: number;
}

/** The ends of a workload. */
export function endsOf(ends: Map<string, Ends>, workload: string): Ends {
  const known = ends.get(workload) ?? { candidates: new Map(), rest: new Map(), restLive: 0 };
  ends.set(workload, known);
  return known;
}

/**
 * Adds the ends at one address. A candidate's is one that ran the release, or that began as a candidate: it
 * may die of the version before it can say that it runs it. One that rejected it did not run it.
 */
export function gatherEnds(
  ends: Map<string, Ends>,
  { address }: Pick<AddressNode, 'address'>,
  of: {
    readonly release: SnapshotRelease;
    readonly consumers: ShardConsumers;
    readonly held: ReadonlySet<string>;
    readonly endsSinceMs: number;
    readonly stageSinceMs: number;
  },
): void {
  const { release, consumers, held, endsSinceMs, stageSinceMs } = of;
  for (const { incarnation, ms } of consumers.endedAt(address.text, endsSinceMs)) {
    const identity = identityOf(incarnation);
    const { workload, slot } = identity;
    if (slot === null || held.has(workload)) continue;
    const run = incarnation.runs.get(address.text) ?? emptyRun();
    const isOne = isCandidate(release, identity);
    const ranIt = releasesOf(run.cohort).includes(release.id);
    const beganSo = incarnation.firstSeenMs >= stageSinceMs && run.rejected === null;
    if (isOne && !ranIt && !beganSo) continue;
    const side = endsOf(ends, workload)[isOne ? 'candidates' : 'rest'];
    const name = `${slotName(workload, slot)} ${address.text}`;
    side.set(name, [...(side.get(name) ?? []), ms]);
  }
}
