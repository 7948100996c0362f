import type { AddressText, SnapshotRelease } from '@pawl/contracts';
import { isLastStage, workloadsHeld } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import { assert } from '@pawl/kernel';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { Evidence } from './gather-evidence.js';
import type { ProbedRelease } from './gate-probes.port.js';
import type { StageHealth } from './judge-health.js';
import type { Watch } from './stage-watch.js';

/** What is seen of a stage in one look. */
export interface Observed {
  readonly evidence: Evidence;
  /** Where it is published. */
  readonly places: readonly AddressText[];
  /** Time since the last look that counts, milliseconds. */
  readonly stepMs: number;
  /** It had reached just this at the last look. */
  readonly isSame: boolean;
}

/** Workloads that a gate is told of. */
const MAX_WORKLOADS = 1_000;

/** A number that is another one once a release has reached more at an address. */
export function reachOf({ stages, held = [] }: SnapshotRelease): number {
  return stages.reduce(
    (sum, { basisPoints, named = [] }) => sum + basisPoints + named.length + 1,
    held.length,
  );
}

/** What services report of themselves, for a window; worked out once for each. */
export function stageHealth(
  { shard }: OwnedRoot,
  staged: StagedRelease,
  of: {
    readonly watch: Pick<Watch, 'requestsSinceMs'>;
    readonly nowMs: number;
    readonly places: readonly AddressText[];
  },
): (windowMs: number) => StageHealth {
  const { watch, nowMs, places } = of;
  const known = new Map<number, StageHealth>();
  return (windowMs) => {
    const before = known.get(windowMs);
    if (before !== undefined) return before;
    const spanMs = Math.min(windowMs, nowMs - watch.requestsSinceMs);
    const byWorkload = shard.consumers.health.of(places, staged.id, spanMs, nowMs);
    for (const workload of workloadsHeld(staged)) byWorkload.delete(workload);
    const health = { byWorkload, isLast: isLastStage(staged) };
    known.set(windowMs, health);
    return health;
  };
}

/** What a gate that somebody else answers is told of the release. */
export function aboutRelease(
  { address, release }: AddressNode,
  { all, byWorkload }: Pick<Evidence, 'all' | 'byWorkload'>,
): ProbedRelease {
  const { staged, stableVersion } = release;
  assert(staged !== null, 'only a release in stages has gates');
  return {
    ...{ address: address.text, releaseId: staged.id, stableVersion },
    ...{ version: staged.candidateVersion, stage: staged.stage, stages: staged.stages.length },
    workloads: [...byWorkload.keys()].sort().slice(0, MAX_WORKLOADS),
    candidates: all.live,
  };
}
