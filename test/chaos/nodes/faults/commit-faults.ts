import { BROKEN } from '../../network/links.js';
import { eventually } from '../../../support/eventually.js';
import { Holder } from '../world/holder.js';
import { NATS } from '../world/world.js';
import { COMMIT_POINTS, PUBLISH, REACHED_WITHIN_MS, type CommitPoint } from './commit-points.js';
import {
  between,
  LEASE_TTL_MS,
  othersOf,
  pick,
  someOwner,
  someWrites,
  takenOver,
  wait,
  type NodesFault,
} from './fault.js';

/** An owner stands still at a point of a commit until others serve its shards, and longer. */
function pausedAt({ name, does, holdsOthers, reach }: CommitPoint): NodesFault {
  return {
    name: `owner paused ${name}`,
    does: `${does}; holds the owner still until others serve its shards, then lets both go on`,
    strike: async (context) => {
      const { world, rng } = context;
      const { id, release } = await reach(context);
      const node = world.cluster.node(id);
      const since = performance.now();
      node.pause();
      try {
        const owners = await eventually(() => world.owners());
        const shards = owners.filter(({ owner }) => owner === id).map(({ shard }) => shard);
        if (holdsOthers) {
          await wait(between(rng, 0, LEASE_TTL_MS));
          await release();
        }
        await takenOver(context, othersOf(context, [id]));
        await someWrites(context, 5);
        await release();
        await wait(between(rng, 0, 500));
        return { shards, since };
      } finally {
        await release();
        node.resume();
      }
    },
  };
}

const publishesAgain: CommitPoint = {
  name: 'while it publishes again',
  does: 'breaks the connection of an owner to NATS while writes go on, until it publishes what had to wait',
  holdsOthers: false,
  reach: async (context) => {
    const { world, rng } = context;
    const { id } = await someOwner(context);
    world.links.set(id, NATS, BROKEN);
    await someWrites(context, 5);
    await wait(between(rng, 0, 500));
    const pause = () => world.cluster.node(id).pause();
    const published = world.gate(id, NATS).trap(PUBLISH, pause, REACHED_WITHIN_MS);
    world.links.heal();
    await published;
    return { id, release: () => undefined };
  },
};

export const COMMIT_FAULTS: readonly NodesFault[] = [...COMMIT_POINTS, publishesAgain].map(
  pausedAt,
);

export const rollbackHalfDone: NodesFault = {
  name: 'takeover in a rollback',
  does: 'ends an owner at once while a rollback has written a part of what it writes',
  strike: async (context) => {
    const { world, traffic, rng } = context;
    const scope = await eventually(() =>
      pick(
        rng,
        world.scopes.filter((one) => traffic.stableVersion(one) > 1),
      ),
    );
    const shard = world.shardOf(scope);
    const target = traffic.stableVersion(scope) - 1;
    const sql = 'LOCK TABLE history_entry IN SHARE ROW EXCLUSIVE MODE';
    const holder = await Holder.open(world.truth.url);
    try {
      await holder.hold(sql);
      const asked = traffic.once(rng, scope, {
        kind: 'rollback',
        target,
        expected: null,
      });
      await holder.someoneWaits(REACHED_WITHIN_MS, shard);
      const owners = await eventually(() => world.owners());
      const id = owners.find((one) => one.shard === shard)?.owner ?? pick(rng, world.ids);
      const shards = owners.filter(({ owner }) => owner === id).map((one) => one.shard);
      const since = performance.now();
      const node = world.cluster.node(id);
      await node.kill();
      await wait(between(rng, 0, 1_000));
      await holder.release();
      await takenOver(context, othersOf(context, [id]));
      await asked;
      await someWrites(context, 5);
      await node.start();
      return { shards, since };
    } finally {
      await holder.release();
    }
  },
};
