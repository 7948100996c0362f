import type { AddressText } from '@pawl/contracts';
import type { Instance } from '@pawl/domain';
import type { ShardConsumers } from './shard-consumers.js';

/** The live instances at an address that hold a slot: those that a release can take. */
export function instancesAt(consumers: ShardConsumers, address: AddressText): Instance[] {
  return consumers.at(address).flatMap((incarnation) => {
    const { ref, slot, labels } = incarnation;
    if (slot === null || !consumers.isLive(incarnation)) return [];
    return [{ workload: ref.workload, slot, labels }];
  });
}
