import { expireMsOf } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { AddressNode } from '../sharding/root-tree.js';

/** Asks that an address be looked at again when the clock says that its state has something to do. */
export function wakeFor(
  { wakeUps, parseTime }: Pick<EngineContext, 'wakeUps' | 'parseTime'>,
  { address, release }: Pick<AddressNode, 'address' | 'release'>,
): void {
  const { queued, staged, pins } = release;
  const beginAt = queued?.beginAt ?? null;
  if (beginAt !== null) wakeUps?.at(address, parseTime(beginAt));
  for (const { until } of pins) wakeUps?.at(address, parseTime(until));
  if (staged?.pausedAt === undefined) return;
  wakeUps?.at(address, parseTime(staged.pausedAt) + expireMsOf(staged));
}
