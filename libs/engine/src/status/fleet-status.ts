import type { FleetStatus } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { emptyRun } from './incarnation.js';
import { consumerState } from './rollout-view.js';

/** Addresses listed at most: metrics are read often, and each is a series. */
const MAX_LISTED = 1_000;

/** What live consumers run, address by address, and how many are late with what is published. */
export function fleetStatus(context: EngineContext, shards: readonly OwnedShard[]): FleetStatus {
  const versions: FleetStatus['versions'][number][] = [];
  let overdueConsumers = 0;
  for (const shard of shards) {
    for (const root of shard.roots.values()) {
      for (const node of root.tree.all()) {
        const { lowest, overdue } = runningAt(context, shard, node);
        overdueConsumers += overdue;
        if (lowest === undefined || versions.length >= MAX_LISTED) continue;
        const { text: address } = node.address;
        versions.push({ address, published: node.published?.version ?? 0, lowestApplied: lowest });
      }
    }
  }
  return { overdueConsumers, versions };
}

function runningAt(
  context: EngineContext,
  shard: OwnedShard,
  node: AddressNode,
): { readonly lowest: number | undefined; readonly overdue: number } {
  const { published } = node;
  const publishedMs = published === null ? Infinity : context.parseTime(published.at);
  const isLate = context.clock.wallMs() - publishedMs > context.settings.propagationBoundMs;
  let lowest: number | undefined;
  let overdue = 0;
  for (const incarnation of shard.consumers.at(node.address.text)) {
    const run = incarnation.runs.get(node.address.text) ?? emptyRun();
    const state = consumerState(
      shard.consumers.isLive(incarnation),
      { incarnation, run },
      published,
    );
    if (state === 'stale') continue;
    lowest = Math.min(lowest ?? run.version, run.version);
    if (state === 'lagging' && isLate) overdue += 1;
  }
  return { lowest, overdue };
}
