import { slotName } from '@pawl/contracts';
import type { AddressText } from '@pawl/contracts';
import type { Incarnation } from './incarnation.js';
import type { ShardConsumers } from './shard-consumers.js';

/** Names of slots, as releases tell them. */
export type KeptSlots = Pick<ReadonlySet<string>, 'has' | 'size'>;

const EVERY: KeptSlots = { has: () => true, size: -1 };

/**
 * The slots whose last holder at these addresses is not live, and that are kept for whoever takes its place,
 * see {@link ShardConsumers.isKept}; every slot while it may be that nobody can be heard. Some of them may
 * be held by others by now. `size`: another one once more are kept, or fewer.
 */
export function keptSlots(consumers: ShardConsumers, addresses: readonly AddressText[]): KeptSlots {
  if (!consumers.hears) return EVERY;
  const last = new Map<string, Incarnation>();
  for (const address of addresses) {
    for (const one of consumers.everAt(address)) {
      if (one.slot === null || consumers.isLive(one)) continue;
      const name = slotName(one.ref.workload, one.slot);
      const known = last.get(name);
      if (known === undefined || known.lastSeenMs < one.lastSeenMs) last.set(name, one);
    }
  }
  return new Set([...last].flatMap(([name, one]) => (consumers.isKept(one) ? [name] : [])));
}
