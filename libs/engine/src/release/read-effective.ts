import { done, refused } from '@pawl/contracts';
import type { Address, EffectiveView, Outcome } from '@pawl/contracts';
import { explainLayers } from '@pawl/domain';
import type { Layer } from '@pawl/domain';
import { activeDefinition } from '../sharding/root-tree.js';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';
import { noOwner } from '../sharding/refusals.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';

/** Characters that the pointers of one explanation may have together. */
const MAX_EXPLAINED = 16 * 1024 * 1024;

/** What is read at an address now, and on request who set each value. */
export function readEffective(
  shards: ShardRegistry,
  address: Address,
  explain: boolean,
): Outcome<EffectiveView> {
  const place = shards.find(address);
  if (place === undefined) return unknownAddress(shards, address);
  const { root, node } = place;
  const origins = explain ? explainLayers(activeLayers(root.tree, node), MAX_EXPLAINED) : undefined;
  if (explain && origins === undefined) {
    return refused(
      'too-large',
      `the pointers of ${address.text} would have more than ${MAX_EXPLAINED} characters; read it without explain`,
    );
  }
  return done({
    address: address.text,
    snapshotVersion: node.head.version,
    document: node.effective,
    hash: node.head.variant.hash,
    inputs: node.head.inputs,
    ...(origins === undefined ? {} : { explain: origins }),
  });
}

export function unknownAddress(shards: ShardRegistry, address: Address): Outcome<never> {
  if (!shards.serves(address.root)) return noOwner();
  return refused(
    'not-found',
    `${address.text} is not known: nothing was written there and no consumer has opened it`,
  );
}

/** The layers that what is read is made of: none where it is absent. */
function activeLayers(tree: RootTree, node: AddressNode): Layer[] {
  if (node.effective === null) return [];
  const layers: Layer[] = [];
  for (const above of tree.path(node.address)) {
    const definition = activeDefinition(above);
    if (definition === null || definition.document === null) continue;
    const { address, version, author, document } = definition;
    layers.push({ address, version, author, document: document.value });
  }
  return layers;
}
