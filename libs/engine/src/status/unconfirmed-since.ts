import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from '../sharding/owned-shard.js';

/**
 * When PostgreSQL last confirmed that the shard is this node's, if that is longer ago than the lease TTL:
 * it may have another owner by now, whom consumers talk to. Otherwise `undefined`.
 */
export function unconfirmedSince(
  context: Pick<EngineContext, 'clock' | 'formatTime' | 'settings'>,
  shard: Pick<OwnedShard, 'fenceCheckedMs'>,
): string | undefined {
  const ageMs = context.clock.monotonicMs() - shard.fenceCheckedMs;
  return ageMs > context.settings.leaseTtlMs ? confirmedAt(context, shard) : undefined;
}

/** When PostgreSQL last confirmed that the shard is this node's, on the wall clock. */
export function confirmedAt(
  { clock, formatTime }: Pick<EngineContext, 'clock' | 'formatTime'>,
  { fenceCheckedMs }: Pick<OwnedShard, 'fenceCheckedMs'>,
): string {
  return formatTime(clock.wallMs() - (clock.monotonicMs() - fenceCheckedMs));
}
