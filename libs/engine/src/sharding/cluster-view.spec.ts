import { expect, it } from 'vitest';
import { clusterView } from './cluster-view.js';
import type { ClusterStatus, ShardOwnership } from './shard-ownership.port.js';

const NODES = [
  { id: 'node-1', state: 'ready' },
  { id: 'node-2', state: 'ready' },
] as const;

function viewWith(leader: string | null): ReturnType<typeof clusterView> {
  const status: ClusterStatus = {
    nodes: NODES,
    quorum: { members: ['node-1', 'node-2'], leader, term: 3, revision: 9 },
  };
  const ownership: Partial<ShardOwnership> = {
    nodeId: 'node-1',
    status: () => Promise.resolve(status),
    map: () => [],
  };
  return clusterView(
    {
      ownership: ownership as ShardOwnership,
      clock: { wallMs: () => 0, monotonicMs: () => 0 },
      formatTime: String,
      installation: { name: 'main', id: 'one', shards: 4, generation: 1 },
    },
    { served: () => [] },
    new Map(),
  );
}

it('marks what it knows of nodes as stale while nobody leads, who might end their leases', async () => {
  const known = NODES.map((node) => ({ ...node, shards: 0 }));
  expect((await viewWith('node-2')).nodes).toEqual(known);
  expect((await viewWith(null)).nodes).toEqual(known.map((node) => ({ ...node, stale: true })));
});
