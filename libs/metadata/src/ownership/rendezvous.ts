import { murmur3 } from '@pawl/contracts';

/**
 * The wanted owner of a shard: the node with the highest hash of node and shard (rendezvous hashing,
 * Thaler and Ravishankar 1998). When a node comes or goes, only its own shards move. Null without
 * nodes.
 */
export function wantedOwner(shard: number, nodes: Iterable<string>): string | null {
  let best: { node: string; weight: number } | null = null;
  for (const node of nodes) {
    const weight = murmur3(`${node}/${shard}`, 0);
    const higher =
      best === null || weight > best.weight || (weight === best.weight && node < best.node);
    if (higher) best = { node, weight };
  }
  return best?.node ?? null;
}
