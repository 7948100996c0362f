import { isCandidate, slotName } from '@pawl/contracts';
import type { PreviewStage, ReleaseStage } from '@pawl/contracts';
import { reachPlaces } from '@pawl/domain';
import type { StagedRelease } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { toldOf } from '../sharding/path-releases.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { instancesAt } from '../status/instances-at.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { Turns } from '../turns.js';

/** Instances, workloads and addresses that are listed of a stage. */
const MAX_LISTED = 100;

type Place = Parameters<typeof reachPlaces>[1][number] & {
  readonly node: AddressNode;
  readonly told: readonly ReleaseStage[];
};

/** Who is where: an instance is known by its workload and slot. */
interface Fleet {
  readonly consumerIds: ReadonlyMap<
    string,
    { readonly workload: string; readonly consumerId: string }
  >;
  /** Instances of each workload. */
  readonly workloads: ReadonlyMap<string, number>;
}

/**
 * Whom a release would reach at each of its stages, if it went on with those that are live now: as the
 * owner works it out when it comes to a stage, from what it was at the one before.
 */
export async function previewStages(
  { scheduler }: Pick<EngineContext, 'scheduler'>,
  of: { readonly nodes: readonly AddressNode[]; readonly consumers: ShardConsumers },
  release: StagedRelease,
): Promise<PreviewStage[]> {
  const { nodes, consumers } = of;
  // Each stage is a portion of work by itself.
  const turns = new Turns(scheduler, { items: 1, bytes: Infinity });
  let places: Place[] = nodes.map((node) => ({
    node,
    instances: instancesAt(consumers, node.address.text),
    told: toldOf(node.head.releases, release.id),
  }));
  const fleet = fleetOf(nodes, consumers);
  let before: ReadonlySet<string> = new Set();
  const stages: PreviewStage[] = [];
  for (const [stage, wanted] of release.stages.entries()) {
    const told = reachPlaces({ ...release, stage }, places);
    places = places.map((place, at) => ({ ...place, told: told[at] ?? [] }));
    const reached = reachedAt(release, places);
    stages.push({ ...wanted, stage, ...summary(fleet, reached, before) });
    before = reached.all;
    await turns.spent(0);
  }
  return stages;
}

function fleetOf(nodes: readonly AddressNode[], consumers: ShardConsumers): Fleet {
  const consumerIds = new Map<string, { workload: string; consumerId: string }>();
  const workloads = new Map<string, number>();
  for (const { address } of nodes) {
    for (const incarnation of consumers.at(address.text)) {
      const { ref, slot } = incarnation;
      if (slot === null || !consumers.isLive(incarnation)) continue;
      const { workload, consumerId } = ref;
      const name = slotName(workload, slot);
      if (consumerIds.has(name)) continue;
      consumerIds.set(name, { workload, consumerId });
      workloads.set(workload, (workloads.get(workload) ?? 0) + 1);
    }
  }
  return { consumerIds, workloads };
}

interface Reached {
  /** Names of the slots. */
  readonly all: ReadonlySet<string>;
  readonly addresses: readonly { readonly address: string; readonly instances: number }[];
}

function reachedAt({ id }: StagedRelease, places: readonly Place[]): Reached {
  const all = new Set<string>();
  const addresses: Reached['addresses'][number][] = [];
  for (const { node, instances, told } of places) {
    const { text: address } = node.address;
    const candidates = new Set<string>();
    for (const instance of instances) {
      if (!isCandidate({ id, address, salt: id, stages: [...told] }, instance)) continue;
      candidates.add(slotName(instance.workload, instance.slot));
    }
    for (const name of candidates) all.add(name);
    if (candidates.size > 0) addresses.push({ address, instances: candidates.size });
  }
  return { all, addresses };
}

function summary(
  { consumerIds, workloads }: Fleet,
  { all, addresses }: Reached,
  before: ReadonlySet<string>,
): Pick<PreviewStage, 'instances' | 'added' | 'byWorkload' | 'addresses'> {
  const counts = new Map<string, number>();
  const added: PreviewStage['added'][number][] = [];
  for (const name of all) {
    const consumer = consumerIds.get(name);
    if (consumer === undefined) continue;
    counts.set(consumer.workload, (counts.get(consumer.workload) ?? 0) + 1);
    if (!before.has(name) && added.length < MAX_LISTED) added.push(consumer);
  }
  const byWorkload = [...workloads].map(([workload, total]) => {
    return { workload, instances: counts.get(workload) ?? 0, of: total };
  });
  const most = <T extends { readonly instances: number }>(items: readonly T[]): T[] =>
    items.toSorted((a, b) => b.instances - a.instances).slice(0, MAX_LISTED);
  return {
    instances: all.size,
    added,
    byWorkload: most(byWorkload),
    addresses: most(addresses),
  };
}
