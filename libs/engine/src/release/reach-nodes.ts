import type { AddressText, ReleaseStage } from '@pawl/contracts';
import { reachPlaces } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import { toldOf } from '../sharding/path-releases.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { instancesAt } from '../status/instances-at.js';
import { keptSlots } from '../status/kept-slots.js';
import type { ShardConsumers } from '../status/shard-consumers.js';

/** The stages of a release at each known address that it reaches, for who is live there now. */
export function reachNodes(
  release: StagedRelease,
  nodes: readonly AddressNode[],
  consumers: ShardConsumers,
): ReadonlyMap<AddressText, readonly ReleaseStage[]> {
  const places = nodes.map(({ address, head }) => ({
    instances: instancesAt(consumers, address.text),
    told: toldOf(head.releases, release.id),
  }));
  const kept = keptSlots(
    consumers,
    nodes.map(({ address }) => address.text),
  );
  const stages = reachPlaces(release, places, kept);
  return new Map(nodes.map(({ address }, at) => [address.text, stages[at] ?? []]));
}
