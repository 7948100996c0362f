import type { PawlNatsServer } from '@pawl/distribution';
import type { ShardHost } from '@pawl/engine';

/**
 * The engine as host of shards, whose commands are heard for as long as they are claimed. Before the
 * engine serves the shard they are refused as nobody's, so that from its first moment as the owner it is
 * the owner for every node.
 */
export function hearingHost(
  host: ShardHost,
  server: Pick<PawlNatsServer, 'claim' | 'release'>,
): ShardHost {
  return {
    claimed: async (fence, remembered) => {
      server.claim(fence.shard, fence.token);
      try {
        await host.claimed(fence, remembered);
      } catch (error) {
        server.release(fence.shard, fence.token);
        throw error;
      }
    },
    lost: async (fence) => {
      server.release(fence.shard, fence.token);
      await host.lost(fence);
    },
    mark: (fence) => host.mark?.(fence),
  };
}
