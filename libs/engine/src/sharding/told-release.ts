import type { SnapshotRelease } from '@pawl/contracts';
import type { AddressNode } from './root-tree.js';

/** What the snapshot that is published at an address tells of a release; `undefined`: nothing. */
export function toldRelease(
  { published }: Pick<AddressNode, 'published'>,
  id: string,
): SnapshotRelease | undefined {
  return published?.releases.find((release) => release.id === id);
}
