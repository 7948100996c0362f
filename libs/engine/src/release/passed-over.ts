import { isInPreflight } from '@pawl/domain';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { notAccepted } from './not-accepted.js';

/** What a person who takes a release further does not wait for, as the history adds it; empty: nothing. */
export function passedOver(root: OwnedRoot, { address, release }: AddressNode): string {
  if (release.staged === null) return '';
  if (isInPreflight(release.staged)) return ', without its preflight';
  const { size } = notAccepted(root, address).instances;
  return size === 0 ? '' : `, without the votes of ${size} instance${size === 1 ? '' : 's'}`;
}
