import { eventually } from '../../../support/eventually.js';
import { STALLED } from '../../network/links.js';
import { withClient } from '../world/audit.js';
import { Holder } from '../world/holder.js';
import type { World } from '../world/world.js';
import {
  othersOf,
  someOwner,
  someWrites,
  takenOver,
  type FaultContext,
  type NodesFault,
} from './fault.js';
import { VoidError } from '../void-error.js';

const COUNTED_WITHIN_MS = 10_000;
const WAITS_WITHIN_MS = 3_000;

/**
 * Locks rows of releases first and a shard's lock second, which commits take the other way round:
 * PostgreSQL ends commits with 40P01, and their node sends them again.
 */
export const deadlocks: NodesFault = {
  name: 'deadlocks in a takeover',
  does: 'takes locks in the opposite order of commits of an owner, again and again, while it is cut from the quorum and others take its shards over',
  strike: async (context) => {
    const { world } = context;
    const { id, shards } = await someOwner(context);
    const before = await countDeadlocks(world);
    const since = performance.now();
    for (const other of othersOf(context, [id])) {
      world.links.set(id, other, STALLED);
      world.links.set(other, id, STALLED);
    }
    let isOver = false;
    const over = takenOver(context, othersOf(context, [id])).finally(() => (isOver = true));
    try {
      // At least once, also where others are quick.
      do await deadlock(context, shards);
      while (!isOver);
    } finally {
      await over;
    }
    await someWrites(context, 5);
    world.links.heal();
    await eventually(async () => {
      if ((await countDeadlocks(world)) === before) throw new VoidError('no commit deadlocked');
    }, COUNTED_WITHIN_MS);
    return { shards, since };
  },
};

/** Makes a commit wait for us, and then waits for it; who claims the shard meanwhile ends us. */
async function deadlock({ world }: FaultContext, shards: readonly number[]): Promise<void> {
  const holder = await Holder.open(world.truth.url);
  try {
    // PostgreSQL looks for deadlocks on behalf of who has waited so long: that must not be us.
    await holder.hold("SET LOCAL deadlock_timeout = '1min'");
    await holder.hold(
      `SELECT FROM config_address WHERE shard IN (${shards.join(', ')}) FOR UPDATE`,
    );
    const { shard } = await holder.someoneWaits(WAITS_WITHIN_MS);
    await holder.holdShard(shard);
  } catch {
    // Nobody came, or our session was ended: the count tells whether it ever came to a deadlock.
  } finally {
    await holder.release();
  }
}

function countDeadlocks({ truth }: World): Promise<number> {
  return withClient(truth.url, async (client) => {
    const { rows } = await client.query<{ count: string }>(
      'SELECT deadlocks AS count FROM pg_stat_database WHERE datname = current_database()',
    );
    return Number(rows[0]?.count);
  });
}
