import type { ClusterView, TruthBehind } from '@pawl/contracts';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import { confirmedAt } from '../status/unconfirmed-since.js';
import type { ShardRegistry } from './shard-registry.js';

/**
 * Nodes, quorum and shards as this node knows them. A shard that it claims and has dropped is not
 * served, whatever the store says yet. When the fence of a shard was last confirmed is
 * known to its owner only. What PostgreSQL lacks of others' shards is as of the last check.
 */
export async function clusterView(
  context: Pick<EngineContext, 'ownership' | 'clock' | 'formatTime' | 'installation'>,
  shards: Pick<ShardRegistry, 'served'>,
  behind: ReadonlyMap<number, TruthBehind>,
): Promise<ClusterView> {
  const { nodes, quorum } = await context.ownership.status();
  const served = new Map(shards.served().map((shard) => [shard.shard, shard]));
  const checkedAt = (shard: number): string | null => {
    const own = served.get(shard);
    if (own === undefined) return null;
    return confirmedAt(context, own);
  };
  const behindOf = (shard: number): Pick<ClusterView['shards'][number], 'behind'> => {
    const own = served.get(shard);
    const why = own === undefined ? behind.get(shard) : own.behind;
    return why === undefined || why === null ? {} : { behind: why };
  };
  const { nodeId } = context.ownership;
  const map = context.ownership.map().map((claim) => {
    const dropped = claim.owner === nodeId && !served.has(claim.shard);
    return dropped ? { ...claim, serving: false, since: null } : claim;
  });
  const count = (owner: string): number => map.filter((shard) => shard.owner === owner).length;
  // Only a majority ends leases: without one, who is gone still counts as there.
  const stale = quorum.leader === null ? ({ stale: true } as const) : {};
  return {
    installation: installationText(context.installation),
    nodes: nodes.map((node) => ({ ...node, shards: count(node.id), ...stale })),
    quorum: { ...quorum, members: [...quorum.members] },
    shards: map.map(({ shard, owner, token, serving, since }) => ({
      shard,
      owner,
      fencingToken: token === null ? null : String(token),
      serving,
      since,
      fenceCheckedAt: checkedAt(shard),
      ...behindOf(shard),
    })),
  };
}
