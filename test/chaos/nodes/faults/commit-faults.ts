import { subjectsOf } from '@pawl/contracts';
import { BROKEN, STALLED } from '../../network/links.js';
import { eventually } from '../../../support/eventually.js';
import { Holder } from '../world/holder.js';
import { NATS, POSTGRES } from '../world/world.js';
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

interface Stopped {
  /** The owner that has come to the point. */
  readonly id: string;
  /** Lets what was held go on; may be called again. */
  readonly release: () => Promise<void> | void;
  /** It holds others too, who could not take over: let go before they do. */
  readonly holdsOthers: boolean;
}

/** An owner stands still at a point of a commit until others serve its shards, and longer. */
function pausedAt(
  point: string,
  does: string,
  reach: (context: FaultContext) => Promise<Stopped>,
): NodesFault {
  return {
    name: `owner paused ${point}`,
    does: `${does}; holds the owner still until others serve its shards, then lets both go on`,
    strike: async (context) => {
      const { world, rng } = context;
      const { id, release, holdsOthers } = await reach(context);
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

/** Name of the prepared statements that commit; stands in every message that binds one. */
const COMMIT = 'pawl_commit';
/** How the publication of a snapshot begins. */
const PUBLISH = `PUB ${subjectsOf('main').prefix}.snapshot.`;
const REACHED_WITHIN_MS = 20_000;

/** Silent in one direction from the moment on in which an owner sends a service this text. */
async function silentFrom(
  context: FaultContext,
  text: string,
  service: typeof POSTGRES | typeof NATS,
  way: 'there' | 'back' = 'there',
): Promise<Stopped> {
  const { world, rng } = context;
  const { id } = await someOwner(context);
  const trap = world.gate(id, service).trap(text, () => {
    if (way === 'there') world.links.set(id, service, STALLED);
    else world.links.set(service, id, STALLED);
  });
  await eventually(() => {
    const held = way === 'there' || (trap.passage?.back.heldBytes ?? 0) > 0;
    if (trap.passage === null || !held) throw new Error(`void: ${id} has not come to the point`);
  }, REACHED_WITHIN_MS);
  await wait(between(rng, 0, 300));
  return { id, release: () => world.links.heal(), holdsOthers: false };
}

/** A lock of the database is held until a commit waits for it; the owner is that of the shard. */
async function behind(context: FaultContext, lock: (holder: Holder) => Promise<void>) {
  const { world } = context;
  const holder = await Holder.open(world.truth.url);
  try {
    await lock(holder);
    const { shard } = await holder.someoneWaits(REACHED_WITHIN_MS);
    const owners = await eventually(() => world.owners());
    const id = owners.find((one) => one.shard === shard)?.owner;
    if (id === undefined) throw new Error(`nobody owns shard ${shard}`);
    return { id, holder };
  } catch (error) {
    await holder.release();
    throw error;
  }
}

export const COMMIT_FAULTS: readonly NodesFault[] = [
  pausedAt(
    'before BEGIN',
    'holds back what an owner sends PostgreSQL, until a commit is among it',
    (context) => silentFrom(context, COMMIT, POSTGRES),
  ),
  pausedAt(
    'before the fence SELECT',
    "holds a shard's lock until a commit waits for it",
    async (context) => {
      const used = context.world.scopes.map((scope) => context.world.shardOf(scope));
      const shard = pick(context.rng, used);
      const { id, holder } = await behind(context, (one) => one.holdShard(shard));
      return { id, release: () => holder.release(), holdsOthers: false };
    },
  ),
  pausedAt(
    'after its write',
    'holds the table of the history until a commit that has written definitions waits for it',
    async (context) => {
      const sql = 'LOCK TABLE history_entry IN SHARE ROW EXCLUSIVE MODE';
      const { id, holder } = await behind(context, (one) => one.hold(sql));
      return { id, release: () => holder.release(), holdsOthers: true };
    },
  ),
  pausedAt(
    'between COMMIT and reply',
    'holds back what PostgreSQL answers an owner, until the answer to a commit is among it',
    (context) => silentFrom(context, COMMIT, POSTGRES, 'back'),
  ),
  pausedAt(
    'between COMMIT and publish',
    'holds back what an owner sends NATS, until a snapshot is among it',
    (context) => silentFrom(context, PUBLISH, NATS),
  ),
  pausedAt(
    'while it publishes again',
    'breaks the connection of an owner to NATS while writes go on, until it publishes what had to wait',
    async (context) => {
      const { world, rng } = context;
      const { id } = await someOwner(context);
      world.links.set(id, NATS, BROKEN);
      await someWrites(context, 5);
      await wait(between(rng, 0, 500));
      const trap = world.gate(id, NATS).trap(PUBLISH, () => world.cluster.node(id).pause());
      world.links.heal();
      await eventually(() => {
        if (trap.passage === null) throw new Error(`void: ${id} publishes nothing`);
      }, REACHED_WITHIN_MS);
      return { id, release: () => undefined, holdsOthers: false };
    },
  ),
];

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
