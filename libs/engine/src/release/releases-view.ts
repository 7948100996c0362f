import type { RolloutRelease } from '@pawl/contracts';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { toldRelease } from '../sharding/told-release.js';
import { countCandidates, noCandidates } from './candidates.js';
import type { PausedReleases } from './paused-releases.js';
import { stageView } from './release-view.js';
import type { WatchReleases } from './watch-releases.js';

/**
 * The releases in stages under way at an address, with what they have reached there; of the address's own
 * release, over all addresses that it reaches.
 */
export function releasesView(
  root: OwnedRoot,
  node: AddressNode,
  { watch, paused }: { readonly watch: WatchReleases; readonly paused: PausedReleases },
): RolloutRelease[] {
  const { consumers } = root.shard;
  return node.head.releases.flatMap((release) => {
    const released = root.tree.staged().find((one) => one.release.staged?.id === release.id);
    const { staged, state } = released?.release ?? {};
    if (released === undefined || staged === null || staged === undefined) return [];
    const sum = noCandidates();
    const places = released === node ? [node, ...root.tree.reachedBelow(node.address)] : [node];
    for (const place of places) {
      const told = toldRelease(place, release.id);
      if (told !== undefined) countCandidates(sum, place, { release: told, consumers });
    }
    const { reason: _, ...candidates } = sum;
    return [
      {
        id: release.id,
        address: released.address.text,
        state: state === 'paused' ? 'paused' : 'rolling',
        candidate: staged.candidateVersion,
        strategy: staged.strategy,
        ...(staged.policyVersion === undefined ? {} : { policyVersion: staged.policyVersion }),
        stages: staged.stages,
        candidates,
        ...(staged.held === undefined ? {} : { held: staged.held }),
        ...stageView(staged),
        ...watch.progress(root, released),
        ...paused.expiry(released),
      },
    ];
  });
}
