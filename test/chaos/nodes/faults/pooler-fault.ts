import { eventually } from '../../../support/eventually.js';
import { withClient } from '../world/audit.js';
import { Pooler } from '../world/pooler.js';
import type { World } from '../world/world.js';
import {
  between,
  LEASE_TTL_MS,
  othersOf,
  pick,
  someWrites,
  takenOver,
  wait,
  type NodesFault,
} from './fault.js';
import { VoidError } from '../void-error.js';

const OWNS_WITHIN_MS = 60_000;
const REUSED_WITHIN_MS = 20_000;

/** DISCARD ALL, pgbouncer's own, is all that a session is freed from: its transactions are others'. */
export const pooledSessions: NodesFault = {
  name: 'pooler hands sessions to the next owner',
  does: 'puts pgbouncer before PostgreSQL for two nodes, holds one that owns shards still until others serve them, ends it, and waits until the other goes on in its sessions',
  strike: async (context) => {
    const { world, rng } = context;
    const first = pick(rng, world.ids);
    const second = pick(rng, othersOf(context, [first]));
    const pooler = await Pooler.start(world.truth.url, LEASE_TTL_MS);
    const nodes = [first, second].map((id) => world.cluster.node(id));
    try {
      await Promise.all(
        nodes.map(async (node) => {
          await node.kill();
          await node.start({ PAWL_POSTGRES_URL: pooler.url });
        }),
      );
      const shards = await eventually(async () => {
        const owned = (await world.cluster.served()).filter(({ owner }) => owner === first);
        if (owned.length === 0) throw new VoidError(`${first} owns nothing behind the pooler`);
        return owned.map(({ shard }) => shard);
      }, OWNS_WITHIN_MS);
      await someWrites(context, 5);
      const since = performance.now();
      const [former, next] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
      const old = await sessionsOf(world, first);
      former.pause();
      await takenOver(context, othersOf(context, [first]));
      await someWrites(context, 5);
      await wait(between(rng, 0, 1_000));
      await former.kill();
      // It opens sessions anew.
      await next.kill();
      await next.start({ PAWL_POSTGRES_URL: pooler.url });
      await eventually(async () => {
        const reused = (await sessionsOf(world, second)).filter((pid) => old.includes(pid));
        if (reused.length === 0) throw new VoidError(`${second} has no session of ${first}`);
      }, REUSED_WITHIN_MS);
      await eventually(() => world.cluster.served(othersOf(context, [first])), OWNS_WITHIN_MS);
      await someWrites(context, 10);
      return { shards, since };
    } finally {
      await Promise.all(nodes.map((node) => node.kill()));
      await pooler.stop();
      await Promise.all(nodes.map((node) => node.start()));
    }
  },
};

/** Server processes that work for a node, by what it calls itself. */
function sessionsOf({ truth }: World, id: string): Promise<readonly number[]> {
  return withClient(truth.url, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'pawl%/' || $1`,
      [id],
    );
    return rows.map(({ pid }) => pid);
  });
}
