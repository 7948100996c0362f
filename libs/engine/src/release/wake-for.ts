import type { EngineContext } from '../engine-context.js';
import type { AddressNode } from '../sharding/root-tree.js';

/** Asks that an address be looked at again when the clock says that its state has something to do. */
export function wakeFor(
  { wakeUps, parseTime }: Pick<EngineContext, 'wakeUps' | 'parseTime'>,
  { address, release }: Pick<AddressNode, 'address' | 'release'>,
): void {
  const beginAt = release.queued?.beginAt ?? null;
  if (beginAt !== null) wakeUps?.at(address, parseTime(beginAt));
}
