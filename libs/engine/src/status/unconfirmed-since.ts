import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from '../sharding/owned-shard.js';

/**
 * When PostgreSQL last confirmed that the shard is this node's, if that is longer ago than the lease TTL:
 * it may have another owner by now, whom consumers talk to. Otherwise `undefined`.
 */
export function unconfirmedSince(
  { clock, formatTime, settings }: Pick<EngineContext, 'clock' | 'formatTime' | 'settings'>,
  { fenceCheckedMs }: Pick<OwnedShard, 'fenceCheckedMs'>,
): string | undefined {
  const ageMs = clock.monotonicMs() - fenceCheckedMs;
  return ageMs > settings.leaseTtlMs ? formatTime(clock.wallMs() - ageMs) : undefined;
}
