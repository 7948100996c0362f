import type { SnapshotHead } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { Publication } from '../publication/publication.js';
import { firstVersion, nextHead } from '../sharding/build-nodes.js';
import type { FenceChecks } from '../sharding/fence-checks.js';
import type { OwnedRoot, OwnedShard } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { NO_CHANGES } from '../sharding/truth-store.port.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';

/** What takes things away needs of the engine. */
export interface SweepParts {
  readonly shards: ShardRegistry;
  readonly fences: FenceChecks;
  readonly publication: Publication;
}

/**
 * Forgets addresses that were known only through consumers which are gone for `olderThanMs`; answers
 * how many. What is published goes first: whoever crashes in between still knows the address, publishes
 * it again when it is loaded, and forgets it at the next sweep.
 */
export async function forgetOpened(
  context: EngineContext,
  parts: SweepParts,
  shard: OwnedShard,
  olderThanMs: number,
): Promise<number> {
  let forgotten = 0;
  for (const root of [...shard.roots.values()]) {
    const beforeMs = context.clock.monotonicMs() - olderThanMs;
    const old = root.tree.all().filter((node) => node.opened && node.lastConsumerMs < beforeMs);
    for (const node of old) {
      if ((await parts.fences.unsureForLong(shard)) !== undefined) return forgotten;
      const forgets = (): Promise<boolean> => forget(context, parts, root, node);
      if (await root.lock.run('exclusive', forgets)) forgotten += 1;
    }
    parts.shards.forgetIfEmpty(root);
  }
  return forgotten;
}

/**
 * Under the root's lock. Memory forgets the address before anything else, so that no publication of it
 * begins meanwhile, and a consumer that comes back opens it anew, after this; what fails is undone.
 */
async function forget(
  context: EngineContext,
  { shards, publication }: SweepParts,
  root: OwnedRoot,
  node: AddressNode,
): Promise<boolean> {
  const { address } = node;
  const isKnown = root.shard.serving && !root.uncertain && root.tree.get(address) === node;
  const isUsed = !node.opened || root.shard.consumers.at(address.text).length > 0;
  if (!isKnown || isUsed || publication.isPending(node)) return false;
  root.tree.remove(address);
  let isForgotten = false;
  try {
    await context.publisher.remove(address, root.shard.token);
    const raised = raisedAbove(context, root, node);
    const changes = {
      ...{ ...NO_CHANGES, root: root.name, idempotency: null },
      forgotten: [address.text],
      snapshots: raised === undefined ? [] : [raised.head],
    };
    const outcome = await shards.commit(root, changes);
    if (outcome.kind === 'fenced') shards.refusedByFence(root.shard);
    if (outcome.kind === 'conflict') shards.doubt(root);
    isForgotten = outcome.kind === 'committed';
    if (isForgotten && raised !== undefined) {
      raised.above.head = raised.head;
      publication.enqueue(root, raised.above);
    }
  } finally {
    if (!isForgotten) {
      root.tree.add(node);
      publication.enqueue(root, node);
    }
  }
  return isForgotten;
}

/**
 * What makes the address, once it is opened again, begin above every version that it had. That is so by
 * itself unless it had more of them than its ancestors changed, or its last named instances that it may
 * not name again: where a release in stages grew there. The nearest ancestor with a definition then gets
 * a higher version.
 */
function raisedAbove(
  context: EngineContext,
  { tree }: OwnedRoot,
  { address, head }: AddressNode,
): { readonly above: AddressNode; readonly head: SnapshotHead } | undefined {
  const path = tree.path(address).filter(({ newest }) => newest !== null);
  const above = path.at(-1);
  const lowest = head.releases.length === 0 ? head.version : head.version + 1;
  const lacks = lowest - firstVersion(path);
  if (above === undefined || lacks <= 0) return undefined;
  const before = above.head.version + lacks - 1;
  return { above, head: nextHead(context, above, { tree, above: before }) };
}
