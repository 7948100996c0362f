import { cohortOf, done, refused, STABLE_COHORT } from '@pawl/contracts';
import type { Address, EffectiveView, Outcome } from '@pawl/contracts';
import { explainLayers } from '@pawl/domain';
import type { Layer } from '@pawl/domain';
import { releasesOf } from '../sharding/cohorts.js';
import { contentOf } from '../sharding/root-tree.js';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';
import { noOwner } from '../sharding/refusals.js';
import { layerOnWay, wayDown } from '../sharding/way-down.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import type { ExpiredPins } from './expired-pins.js';
import { layerPins } from './layer-pins.js';
import type { Incarnation } from '../status/incarnation.js';
import type { ShardConsumers } from '../status/shard-consumers.js';

/** Characters that the pointers of one explanation may have together. */
const MAX_EXPLAINED = 16 * 1024 * 1024;

export interface EffectiveQuery {
  readonly explain: boolean;
  /** As this consumer reads it; of this workload, where several have one of that name. */
  readonly consumerId?: string;
  readonly workload?: string;
}

/**
 * What is read at an address now, by consumers in no cohort or by the one that is asked for, and on
 * request who set each value.
 */
export function readEffective(
  { shards, expired }: { readonly shards: ShardRegistry; readonly expired: ExpiredPins },
  address: Address,
  query: EffectiveQuery,
): Outcome<EffectiveView> {
  const place = shards.find(address);
  if (place === undefined) return unknownAddress(shards, address);
  const { root, node } = place;
  const cohort = cohortAsked(root.shard.consumers, node, query);
  if (!cohort.ok) return cohort;
  const content = contentOf(node, cohort.value);
  const layers = query.explain && content.effective !== null;
  const origins = query.explain
    ? explainLayers(layers ? activeLayers(root.tree, node, cohort.value) : [], MAX_EXPLAINED)
    : undefined;
  if (query.explain && origins === undefined) {
    return refused(
      'too-large',
      `the pointers of ${address.text} would have more than ${MAX_EXPLAINED} characters; read it without explain`,
    );
  }
  return done({
    address: address.text,
    snapshotVersion: node.head.version,
    document: content.effective,
    hash: content.variant.hash,
    inputs: node.head.inputs,
    ...(cohort.value === STABLE_COHORT ? {} : { cohort: cohort.value }),
    ...layerPins(root, node, expired),
    ...(origins === undefined ? {} : { explain: origins }),
  });
}

/** The cohort of the consumer that is asked for: as it reported last, wherever it runs. */
function cohortAsked(
  consumers: ShardConsumers,
  node: AddressNode,
  { consumerId, workload }: EffectiveQuery,
): Outcome<string> {
  if (consumerId === undefined) {
    if (workload === undefined) return done(STABLE_COHORT);
    return refused('malformed-request', 'a workload alone names no consumer: add its consumerId');
  }
  const { text } = node.address;
  const known = consumers.at(text).filter(({ ref }) => {
    return ref.consumerId === consumerId && (workload ?? ref.workload) === ref.workload;
  });
  const newest = known.reduce<Incarnation | undefined>(
    (latest, one) => (latest !== undefined && latest.lastSeenMs > one.lastSeenMs ? latest : one),
    undefined,
  );
  if (newest === undefined) {
    const detail = `no consumer ${consumerId} of it is known at ${text}: GET /v1/consumers lists them`;
    return refused('not-found', detail);
  }
  const workloads = [...new Set(known.map(({ ref }) => ref.workload))].sort();
  if (workloads.length > 1) {
    const detail = `${consumerId} is a consumer of ${workloads.join(', ')}: say which workload`;
    return refused('malformed-request', detail);
  }
  const { ref, slot, labels } = newest;
  return done(cohortOf(node.head.releases, { workload: ref.workload, slot, labels }));
}

export function unknownAddress(shards: ShardRegistry, address: Address): Outcome<never> {
  if (!shards.serves(address.root)) return noOwner();
  return refused(
    'not-found',
    `${address.text} is not known: nothing was written there and no consumer has opened it`,
  );
}

/** The layers that what is read is made of. */
function activeLayers(tree: RootTree, node: AddressNode, cohort: string): Layer[] {
  const releases = new Set(releasesOf(cohort));
  const layers: Layer[] = [];
  for (const layer of wayDown(tree.path(node.address))) {
    const definition = layerOnWay(layer, releases);
    if (definition === null || definition.document === null) continue;
    const { address, version, author, document } = definition;
    layers.push({ address, version, author, document: document.value });
  }
  return layers;
}
