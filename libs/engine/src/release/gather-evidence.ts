import { isSelected } from '@pawl/contracts';
import type { SnapshotRelease } from '@pawl/contracts';
import type { AddressNode } from '../sharding/root-tree.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { countCandidate, eachCandidate, noCandidates } from './candidates.js';
import type { Candidates, SeenCandidate } from './candidates.js';
import { endsOf, gatherEnds } from './gather-ends.js';
import type { Ends, EndsSince } from './gather-ends.js';

/** What consumers report of a release over all addresses that it reaches. */
export interface Evidence {
  readonly all: Candidates;
  readonly byWorkload: Map<string, Candidates>;
  /** Workloads with live instances that are no candidates, but those that are held. */
  readonly rest: Set<string>;
  /** By workload, whose instances ended without a goodbye. */
  readonly ends: Map<string, Ends>;
  /** Whether the newest stage takes a live instance itself. */
  isNewestReached: boolean;
  /** Whether a stage that is reached takes instances whatever their labels are. */
  takesAnybody: boolean;
}

export function noEvidence(): Evidence {
  return {
    ...{ all: noCandidates(), byWorkload: new Map(), rest: new Set() },
    ends: new Map(),
    ...{ isNewestReached: false, takesAnybody: false },
  };
}

/** Adds what is reported at one address. */
export function gatherEvidence(
  evidence: Evidence,
  node: Pick<AddressNode, 'address' | 'published'>,
  of: EndsSince & {
    readonly release: SnapshotRelease;
    readonly consumers: ShardConsumers;
    readonly sinceMs: number;
  },
): void {
  const { release } = of;
  const { all, byWorkload, rest } = evidence;
  const held = new Set(release.held);
  const newest = release.stages.at(-1);
  evidence.takesAnybody ||= release.stages.some(({ selector }) => selector === undefined);
  const gather = (seen: SeenCandidate): void => {
    const own = byWorkload.get(seen.workload) ?? noCandidates();
    byWorkload.set(seen.workload, own);
    for (const sum of [all, own]) countCandidate(sum, seen);
    all.reason ??= seen.reason;
    own.reason ??= seen.reason;
    const { labels } = seen;
    if (labels === undefined || newest === undefined || evidence.isNewestReached) return;
    evidence.isNewestReached = isSelected(newest, labels);
  };
  eachCandidate({ node, ...of }, gather, (workload) => {
    if (held.has(workload)) return;
    rest.add(workload);
    endsOf(evidence.ends, workload).restLive += 1;
  });
  gatherEnds(evidence.ends, node, { ...of, held });
}
