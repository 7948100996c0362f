import type { LayerPin } from '@pawl/contracts';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { wayDown } from '../sharding/way-down.js';
import type { ExpiredPins } from './expired-pins.js';
import { pinView } from './release-view.js';

/** The pins that count at an address, its own and those of addresses above; nothing where there are none. */
export function layerPins(
  root: OwnedRoot,
  { address }: AddressNode,
  expired: Pick<ExpiredPins, 'overdue'>,
): { readonly pins?: LayerPin[] } {
  const path = root.tree.path(address);
  if (path.every(({ pinned }) => pinned.size === 0)) return {};
  const pins = wayDown(path).flatMap(({ pinned }) => {
    if (pinned === undefined) return [];
    const { pin, at } = pinned;
    const node = root.tree.getByText(at);
    const overdue = node && expired.overdue(root, node).get(pin.ancestor);
    return [{ ...pinView(pin, overdue), pinnedAt: at }];
  });
  return pins.length === 0 ? {} : { pins };
}
