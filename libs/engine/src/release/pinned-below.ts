import { isAtOrBelow } from '@pawl/contracts';
import type { PinnedBelow } from '@pawl/contracts';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';

/** Addresses that are listed; all are counted. */
const MAX_LISTED = 100;

/** The addresses below that keep one at a version, by name; `undefined` where none does. */
export function pinnedBelow(
  tree: RootTree,
  { address }: Pick<AddressNode, 'address'>,
): PinnedBelow | undefined {
  const found = tree.pinning().flatMap(({ address: at, pinned }) => {
    const layer = isAtOrBelow(at, address) ? pinned.get(address.text) : undefined;
    if (layer === undefined) return [];
    const { version, until } = layer.pin;
    return [{ address: at.text, version, until }];
  });
  if (found.length === 0) return undefined;
  const addresses = found.sort((a, b) => (a.address < b.address ? -1 : 1)).slice(0, MAX_LISTED);
  return { count: found.length, addresses };
}
