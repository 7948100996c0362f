import type { PawlNatsServer } from '@pawl/distribution';
import type { ShardHost } from '@pawl/engine';

/** The engine as host of shards, whose commands are heard for as long as they are served. */
export function hearingHost(
  host: ShardHost,
  server: Pick<PawlNatsServer, 'claim' | 'release'>,
): ShardHost {
  return {
    claimed: async (fence) => {
      await host.claimed(fence);
      server.claim(fence.shard, fence.token);
    },
    lost: async (fence) => {
      server.release(fence.shard, fence.token);
      await host.lost(fence);
    },
  };
}
