import { eventually } from '../../../support/eventually.js';
import { BROKEN } from '../../network/links.js';
import { isAcknowledged } from '../traffic/call.js';
import { withClient } from '../world/audit.js';
import type { World } from '../world/world.js';
import { COMMIT_POINTS, type CommitPoint } from './commit-points.js';
import {
  between,
  LEASE_TTL_MS,
  othersOf,
  someOwner,
  wait,
  type FaultContext,
  type NodesFault,
} from './fault.js';
import { VoidError } from '../void-error.js';

const WRITES_WITHIN_MS = 20_000;

/** An owner stands still at a point for longer than its lease, and then goes on as the owner. */
function standstill({ name: point, reach }: Pick<CommitPoint, 'name' | 'reach'>): NodesFault {
  return {
    name: `lease passes ${point}, nobody takes over`,
    does: `holds an owner still ${point} for longer than its lease while no member of the quorum reaches another, and lets it go on: it must take writes under the same token`,
    strike: async (context) => {
      const { world, rng } = context;
      const { id, release } = await reach(context);
      const node = world.cluster.node(id);
      node.pause();
      try {
        for (const one of world.ids) {
          for (const other of othersOf(context, [one])) world.links.set(one, other, BROKEN);
        }
        // The others tell what was so before they could not hear each other.
        const owners = await eventually(() => world.owners());
        const shards = owners.filter(({ owner }) => owner === id).map(({ shard }) => shard);
        if (shards.length === 0) throw new VoidError(`${id} owns nothing`);
        const before = await tokensOf(world, shards);
        await wait(between(rng, 1.2 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
        await release();
        const since = performance.now();
        node.resume();
        await writesGoOn(context, shards, since);
        for (const [shard, token] of await tokensOf(world, shards)) {
          if (before.get(shard) !== token)
            throw new Error(`shard ${shard} was taken over without a majority`);
        }
        return { shards, since };
      } finally {
        await release();
        node.resume();
        world.links.heal();
      }
    },
  };
}

/** Writes to these shards that were asked for since are acknowledged. */
async function writesGoOn(
  { world, traffic }: FaultContext,
  shards: readonly number[],
  since: number,
): Promise<void> {
  const used = world.scopes.filter((scope) => shards.includes(world.shardOf(scope)));
  if (used.length === 0) throw new VoidError('the owner has no scope');
  await eventually(() => {
    const isDone = traffic.calls.some(
      (call) => call.calledAt >= since && used.includes(call.scope) && isAcknowledged(call),
    );
    if (!isDone) throw new Error('the owner takes no writes, though nobody took over');
  }, WRITES_WITHIN_MS);
}

/** Tokens of the fences of these shards. */
function tokensOf(
  { truth }: World,
  shards: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  return withClient(truth.url, async (client) => {
    const { rows } = await client.query<{ shard: number; token: string }>(
      'SELECT shard, token FROM shard_fence WHERE shard = ANY ($1::integer[]) ORDER BY shard',
      [shards],
    );
    return new Map(rows.map(({ shard, token }) => [shard, token]));
  });
}

const anywhere: Pick<CommitPoint, 'name' | 'reach'> = {
  name: 'anywhere',
  reach: async (context) => {
    const { id } = await someOwner(context);
    return { id, release: () => undefined };
  },
};

export const STANDSTILL_FAULTS: readonly NodesFault[] = [anywhere, ...COMMIT_POINTS].map(
  standstill,
);
