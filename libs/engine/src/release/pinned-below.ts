import type { AddressText, PinnedBelow } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';

/** Addresses that are listed; all are counted. */
const MAX_LISTED = 100;

/**
 * The addresses below that keep one at a version, by name; `undefined` where none does. `overdue`: why
 * pins of an address have not ended in time, by the address that is kept.
 */
export function pinnedBelow(
  tree: RootTree,
  { address: { text } }: Pick<AddressNode, 'address'>,
  overdue: (at: AddressNode) => ReadonlyMap<AddressText, string> = () => new Map(),
): PinnedBelow | undefined {
  const found = tree.keeping(text);
  if (found.length === 0) return undefined;
  const listed = found.sort((a, b) => (a.address.text < b.address.text ? -1 : 1));
  const addresses = listed.slice(0, MAX_LISTED).map((node) => {
    const pin = node.release.pins.find(({ ancestor }) => ancestor === text);
    assert(pin !== undefined, 'what keeps an address has a pin of it');
    const why = overdue(node).get(text);
    const { version, until } = pin;
    return {
      address: node.address.text,
      version,
      until,
      ...(why === undefined ? {} : { overdue: why }),
    };
  });
  return { count: found.length, addresses };
}
