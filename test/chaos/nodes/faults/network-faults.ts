import { BROKEN, STALLED, type LinkState } from '../../network/links.js';
import { NATS, POSTGRES } from '../world/world.js';
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
  type FaultContext,
  type NodesFault,
} from './fault.js';

/** Broken, or silent in both directions or in one. */
function cut(context: FaultContext, id: string, others: readonly string[]): void {
  const { world, rng } = context;
  const state: LinkState = rng.below(2) === 0 ? BROKEN : STALLED;
  const ways = state === BROKEN ? 'both' : pick(rng, ['both', 'there', 'back']);
  for (const other of others) {
    if (ways !== 'back') world.links.set(id, other, state);
    if (ways !== 'there') world.links.set(other, id, state);
  }
}

export const cutFromQuorum: NodesFault = {
  name: 'owner cut from the quorum',
  does: 'cuts an owner from the other members until they serve its shards; it goes on reaching PostgreSQL and NATS',
  strike: async (context) => {
    const { id, shards } = await someOwner(context);
    const others = othersOf(context, [id]);
    const since = performance.now();
    // A link that carries one way only may be enough for a lease: both are cut.
    const state = pick(context.rng, [BROKEN, STALLED]);
    for (const other of others) {
      context.world.links.set(id, other, state);
      context.world.links.set(other, id, state);
    }
    await takenOver(context, others);
    await someWrites(context, 10);
    context.world.links.heal();
    return { shards, since };
  },
};

export const cutFromPostgres: NodesFault = {
  name: 'owner cut from PostgreSQL',
  does: 'cuts an owner from PostgreSQL alone (broken, or silent one way or both) until others serve its shards',
  strike: async (context) => {
    const { id, shards } = await someOwner(context);
    const since = performance.now();
    cut(context, id, [POSTGRES]);
    await takenOver(context, othersOf(context, [id]));
    await someWrites(context, 10);
    context.world.links.heal();
    return { shards, since };
  },
};

export const cutFromNats: NodesFault = {
  name: 'owner cut from NATS',
  does: 'cuts an owner from NATS alone (broken, or silent one way or both) for one to three leases',
  strike: async (context) => {
    const { id, shards } = await someOwner(context);
    cut(context, id, [NATS]);
    await wait(between(context.rng, LEASE_TTL_MS, 3 * LEASE_TTL_MS));
    context.world.links.heal();
    return { shards, since: performance.now() };
  },
};

export const noMajority: NodesFault = {
  name: 'quorum without majority',
  does: 'cuts all members from each other for longer than a lease; every owner must go on taking writes and a rollback',
  strike: async (context) => {
    const { world, rng } = context;
    for (const one of world.ids) {
      for (const other of othersOf(context, [one])) world.links.set(one, other, BROKEN);
    }
    await wait(between(rng, 1.2 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
    await goesOn(context);
    world.links.heal();
    return { shards: allShards(context), since: performance.now() };
  },
};

export const majorityKilled: NodesFault = {
  name: 'quorum majority killed',
  does: 'ends two of three nodes for longer than a lease; the third must go on taking writes and a rollback for its shards',
  strike: async (context) => {
    const { world, rng } = context;
    const { id, shards } = await someOwner(context);
    const others = othersOf(context, [id]).map((other) => world.cluster.node(other));
    await Promise.all(others.map((node) => node.kill()));
    await wait(between(rng, 1.2 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
    await goesOn(context, shards);
    await Promise.all(others.map((node) => node.start()));
    const lost = allShards(context).filter((shard) => !shards.includes(shard));
    return { shards: lost, since: performance.now() };
  },
};

const GOES_ON_WITHIN_MS = 20_000;

/** Writes, and a rollback, are acknowledged now; to one of these shards if any are named. */
async function goesOn(context: FaultContext, shards?: readonly number[]): Promise<void> {
  const { world, traffic, rng } = context;
  await someWrites(context, 5);
  const scopes = world.scopes.filter((scope) => shards?.includes(world.shardOf(scope)) ?? true);
  const until = performance.now() + GOES_ON_WITHIN_MS;
  const asked: unknown[] = [];
  while (performance.now() < until) {
    const scope = pick(rng, scopes);
    const stable = traffic.stableVersion(scope);
    if (stable < 2) {
      await wait(50);
      continue;
    }
    const wish = { kind: 'rollback', target: stable - 1, expected: null } as const;
    const { outcome } = await traffic.once('operator', rng, scope, wish);
    if (outcome.kind === 'release') return;
    asked.push(outcome);
  }
  throw new Error(`no rollback is done without a majority: ${JSON.stringify(asked.slice(-3))}`);
}
