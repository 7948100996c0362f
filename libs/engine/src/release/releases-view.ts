import type { RolloutRelease } from '@pawl/contracts';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { countCandidates, noCandidates } from './candidates.js';
import type { WatchReleases } from './watch-releases.js';

/** The releases in stages under way at an address, with what they have reached there. */
export function releasesView(
  root: OwnedRoot,
  node: AddressNode,
  watch: WatchReleases,
): RolloutRelease[] {
  const { consumers } = root.shard;
  return (node.published?.releases ?? []).flatMap((release) => {
    const released = root.tree.staged().find((one) => one.release.staged?.id === release.id);
    const { staged, state } = released?.release ?? {};
    if (released === undefined || staged === null || staged === undefined) return [];
    const sum = noCandidates();
    countCandidates(sum, node, { release, consumers });
    const { reason: _, ...candidates } = sum;
    return [
      {
        id: release.id,
        address: released.address.text,
        state: state === 'paused' ? 'paused' : 'rolling',
        candidate: staged.candidateVersion,
        stage: staged.stage,
        stages: staged.stages,
        candidates,
        ...watch.progress(root, released),
      },
    ];
  });
}
