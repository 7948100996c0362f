import { eventually } from '../../../support/eventually.js';
import { BROKEN, STALLED } from '../../network/links.js';
import { leaderFor, leaderOf } from '../world/quorum-view.js';
import {
  between,
  LEASE_TTL_MS,
  othersOf,
  pick,
  someOwner,
  someWrites,
  takenOver,
  wait,
  type FaultContext,
  type NodesFault,
} from './fault.js';
import { VoidError } from '../void-error.js';

const NOTICED_WITHIN_MS = 30_000;

/** One to three leases from `since` on have passed. */
async function someLeases({ rng }: FaultContext, since: number): Promise<void> {
  const until = since + between(rng, LEASE_TTL_MS, 3 * LEASE_TTL_MS);
  await wait(Math.max(0, until - performance.now()));
}

/** Until a node takes another than `leader`, or nobody, for the leader. */
async function followsOther({ world }: FaultContext, id: string, leader: string | null) {
  await eventually(async () => {
    const followed = await leaderFor(world, id);
    if (followed !== null && (leader === null || followed === leader))
      throw new VoidError(`${id} still follows ${followed}`);
  }, NOTICED_WITHIN_MS);
}

const ownerMute: NodesFault = {
  name: 'owner hears the quorum and is not heard',
  does: 'holds back all that an owner sends the other members, until they serve its shards and longer, one to three leases at least',
  strike: async (context) => {
    const { world } = context;
    const { id, shards } = await someOwner(context);
    const since = performance.now();
    for (const other of othersOf(context, [id])) world.links.set(id, other, STALLED);
    await takenOver(context, othersOf(context, [id]));
    await someWrites(context, 5);
    await someLeases(context, since);
    world.links.heal();
    return { shards, since };
  },
};

const ownerDeaf: NodesFault = {
  name: 'owner is heard by the quorum and does not hear',
  does: 'holds back all that the other members send an owner, until it follows no leader and longer, one to three leases at least',
  strike: async (context) => {
    const { world } = context;
    const { id, shards } = await someOwner(context);
    const since = performance.now();
    for (const other of othersOf(context, [id])) world.links.set(other, id, STALLED);
    await followsOther(context, id, null);
    await someWrites(context, 5);
    await someLeases(context, since);
    world.links.heal();
    return { shards, since: performance.now() };
  },
};

const partialPartition: NodesFault = {
  name: 'quorum leader cut from one member',
  does: 'cuts the leader of the quorum and one member from each other, while the third reaches both, for one to three leases at least',
  strike: async (context) => {
    const { world, rng } = context;
    const leader = await eventually(() => leaderOf(world));
    const id = pick(rng, othersOf(context, [leader]));
    const owners = await eventually(() => world.owners());
    const shards = owners.filter(({ owner }) => owner === id).map(({ shard }) => shard);
    const state = pick(rng, [BROKEN, STALLED]);
    const since = performance.now();
    world.links.set(leader, id, state);
    world.links.set(id, leader, state);
    await followsOther(context, id, leader);
    await someWrites(context, 5);
    await someLeases(context, since);
    world.links.heal();
    return { shards, since: performance.now() };
  },
};

export const PEER_FAULTS: readonly NodesFault[] = [ownerMute, ownerDeaf, partialPartition];
