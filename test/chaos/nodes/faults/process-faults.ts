import { eventually } from '../../../support/eventually.js';
import { leaderOf } from '../world/quorum-view.js';
import { BEFORE_BEGIN } from './commit-points.js';
import {
  allShards,
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

export const killOwner: NodesFault = {
  name: 'owner kill -9',
  does: 'ends an owner at once, waits until others serve its shards, and starts it again',
  strike: async (context) => {
    const { id, shards } = await someOwner(context);
    const node = context.world.cluster.node(id);
    const since = performance.now();
    await node.kill();
    await takenOver(context, othersOf(context, [id]));
    await someWrites(context, 5);
    await node.start();
    return { shards, since };
  },
};

export const pauseOwner: NodesFault = {
  name: 'owner paused',
  does: 'holds an owner still (SIGSTOP) anywhere, until its lease has ended and others serve its shards, and longer',
  strike: async (context) => {
    const { id, shards } = await someOwner(context);
    const node = context.world.cluster.node(id);
    await wait(between(context.rng, 0, 200));
    const since = performance.now();
    node.pause();
    try {
      await takenOver(context, othersOf(context, [id]));
      await someWrites(context, 5);
      await wait(between(context.rng, 0, LEASE_TTL_MS));
    } finally {
      node.resume();
    }
    return { shards, since };
  },
};

export const starveOwner: NodesFault = {
  name: 'owner starved',
  does: 'gives an owner a tenth of its time, in slices, for one to two leases',
  strike: async (context) => {
    const { id, shards } = await someOwner(context);
    const node = context.world.cluster.node(id);
    const until = performance.now() + between(context.rng, LEASE_TTL_MS, 2 * LEASE_TTL_MS);
    while (performance.now() < until) {
      node.pause();
      await wait(90);
      node.resume();
      await wait(10);
    }
    return { shards, since: performance.now() };
  },
};

export const killAll: NodesFault = {
  name: 'all nodes kill -9',
  does: 'ends all nodes at once, and starts them again',
  strike: async (context) => {
    const { world } = context;
    const nodes = world.ids.map((id) => world.cluster.node(id));
    await Promise.all(nodes.map((node) => node.kill()));
    const since = performance.now();
    await Promise.all(nodes.map((node) => node.start()));
    return { shards: allShards(context), since };
  },
};

export const twoTakeovers: NodesFault = {
  name: 'two takeovers',
  does: 'holds back a commit of an owner, lets another take its shards over, holds that one still until the third has them all, and then lets the commit go on',
  strike: async (context) => {
    const { world, rng } = context;
    // Alone without PostgreSQL it gives its shards up, and stays a member of the quorum's majority.
    const { id, release } = await BEFORE_BEGIN.reach(context);
    const since = performance.now();
    const others = othersOf(context, [id]);
    const second = pick(rng, others);
    try {
      const owners = await eventually(() => world.owners());
      const shards = owners.filter(({ owner }) => owner === id).map(({ shard }) => shard);
      await takenOver(context, others);
      world.cluster.node(second).pause();
      await takenOver(context, othersOf(context, [id, second]));
      await someWrites(context, 5);
      await release();
      await wait(between(rng, 0, 500));
      return { shards, since };
    } finally {
      await release();
      world.cluster.node(second).resume();
    }
  },
};

export const rollingRestart: NodesFault = {
  name: 'rolling restart',
  does: 'stops and starts one node after the other, in order',
  strike: async (context) => {
    const { world } = context;
    const since = performance.now();
    for (const id of world.ids) {
      await world.cluster.node(id).shutDown();
      await world.cluster.node(id).start();
      await world.whole();
    }
    return { shards: allShards(context), since };
  },
};

export const quorumLeader: NodesFault = {
  name: 'quorum leader change',
  does: 'ends or holds still the leader of the quorum while leases are renewed, until the others have another',
  strike: async (context) => {
    const { world, rng } = context;
    const id = await eventually(() => leaderOf(world));
    const shards = (await eventually(() => world.owners())).filter(({ owner }) => owner === id);
    const node = world.cluster.node(id);
    await wait(between(rng, 0, LEASE_TTL_MS / 3));
    const since = performance.now();
    const isKilled = rng.below(2) === 0;
    if (isKilled) await node.kill();
    else node.pause();
    try {
      await eventually(async () => {
        if ((await leaderOf(world)) === id)
          throw new Error(`${id} is not followed by another leader`);
      }, LEADS_WITHIN_MS);
      await someWrites(context, 5);
    } finally {
      if (isKilled) await node.start();
      else node.resume();
    }
    return { shards: shards.map(({ shard }) => shard), since };
  },
};

const LEADS_WITHIN_MS = 20_000;
