import { isCandidate, slotName } from '@pawl/contracts';
import type { SnapshotRelease } from '@pawl/contracts';
import type { AddressNode } from '../sharding/root-tree.js';
import { emptyRun } from '../status/incarnation.js';
import { consumerState, identityOf } from '../status/rollout-view.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { releasesOf } from '../sharding/cohorts.js';

/** How the candidates of one release answer, as far as they are heard. */
export interface Candidates {
  /** Live instances that the release has reached. */
  live: number;
  /** Of those: run what is published, as candidates. */
  applied: number;
  rejected: number;
  lagging: number;
  /**
   * Slots whose instance ran it, fell silent without saying goodbye, and was not replaced; none while
   * it may be that nobody can be heard.
   */
  lost: number;
  /** One of the reasons given by those that rejected. */
  reason: string | null;
}

export function noCandidates(): Candidates {
  return { live: 0, applied: 0, rejected: 0, lagging: 0, lost: 0, reason: null };
}

/** Counts the candidates of a release at one address into `sum`. */
export function countCandidates(
  sum: Candidates,
  node: Pick<AddressNode, 'address' | 'published'>,
  of: { readonly release: SnapshotRelease; readonly consumers: ShardConsumers },
): void {
  const { release, consumers } = of;
  const held = new Set<string>();
  const silent = new Set<string>();
  for (const incarnation of consumers.at(node.address.text)) {
    const identity = identityOf(incarnation);
    const run = incarnation.runs.get(node.address.text) ?? emptyRun();
    const name = slotName(identity.workload, identity.slot ?? -1);
    const isLive = consumers.isLive(incarnation);
    if (isLive) held.add(name);
    if (!isCandidate(release, identity)) continue;
    if (!isLive) {
      if (!incarnation.left && releasesOf(run.cohort).includes(release.id)) silent.add(name);
      continue;
    }
    sum.live += 1;
    const state = consumerState(true, { incarnation, run }, node.published);
    if (state === 'applied') sum.applied += 1;
    else if (state === 'rejected') sum.rejected += 1;
    else sum.lagging += 1;
    if (state === 'rejected') sum.reason ??= run.rejected?.reason ?? null;
  }
  if (!consumers.hears) return;
  for (const name of silent) if (!held.has(name)) sum.lost += 1;
}
