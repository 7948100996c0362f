import { eventually } from '../../../support/eventually.js';
import { BROKEN, STALLED, type LinkState } from '../../network/links.js';
import { groupBy } from '../checks/group-by.js';
import { isAcknowledged, type CallOutcome, type CallRequest } from '../traffic/call.js';
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
  does: 'cuts an owner from NATS alone (broken, or silent one way or both) until others serve its shards',
  strike: async (context) => {
    const { id, shards } = await someOwner(context);
    const since = performance.now();
    cut(context, id, [NATS]);
    await takenOver(context, othersOf(context, [id]));
    await someWrites(context, 10);
    context.world.links.heal();
    return { shards, since };
  },
};

export const noMajority: NodesFault = {
  name: 'quorum without majority',
  does: 'cuts all members from each other for longer than a lease; every owner must go on taking writes and a rollback',
  strike: async (context) => {
    const { world, rng } = context;
    const owned = await eventually(() => world.owners());
    for (const one of world.ids) {
      for (const other of othersOf(context, [one])) world.links.set(one, other, BROKEN);
    }
    await wait(between(rng, 1.2 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
    await Promise.all(
      [...groupBy(owned, ({ owner }) => owner)].map(([id, own]) => goesOn(context, id, own)),
    );
    world.links.heal();
    return { shards: allShards(context), since: performance.now() };
  },
};

export const majorityKilled: NodesFault = {
  name: 'quorum majority killed',
  does: 'ends two of three nodes for longer than a lease; the third must go on taking writes and a rollback for its shards',
  strike: async (context) => {
    const { world, rng } = context;
    const owned = await eventually(() => world.owners());
    const id = pick(rng, [...new Set(owned.map(({ owner }) => owner))].sort());
    const own = owned.filter(({ owner }) => owner === id);
    const others = othersOf(context, [id]).map((other) => world.cluster.node(other));
    await Promise.all(others.map((node) => node.kill()));
    await wait(between(rng, 1.2 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
    await goesOn(context, id, own);
    await Promise.all(others.map((node) => node.start()));
    const mine = new Set(own.map(({ shard }) => shard));
    const lost = allShards(context).filter((shard) => !mine.has(shard));
    return { shards: lost, since: performance.now() };
  },
};

const GOES_ON_WITHIN_MS = 20_000;
const LEAST_WRITES = 5;

/**
 * Writes, and a rollback, are acknowledged now by an owner for shards of its own, asked at its own
 * address; nothing is demanded of an owner of no scope's shard.
 */
async function goesOn(
  { world, traffic, rng }: FaultContext,
  id: string,
  own: readonly { readonly shard: number }[],
): Promise<void> {
  const shards = new Set(own.map(({ shard }) => shard));
  const scopes = world.scopes.filter((scope) => shards.has(world.shardOf(scope)));
  if (scopes.length === 0) return;
  const { url } = world.cluster.node(id);
  const until = performance.now() + GOES_ON_WITHIN_MS;
  const asked: CallOutcome[] = [];
  let writes = 0;
  let rollbacks = 0;
  const ask = async (scope: string, request: CallRequest): Promise<boolean> => {
    const call = await traffic.once(rng, scope, request, url);
    asked.push(call.outcome);
    if (isAcknowledged(call)) writes += 1;
    return isAcknowledged(call);
  };
  while (performance.now() < until) {
    const scope = pick(rng, scopes);
    const stable = traffic.stableVersion(scope);
    if (
      stable > 1 &&
      (await ask(scope, { kind: 'rollback', target: stable - 1, expected: null }))
    ) {
      rollbacks += 1;
    }
    await ask(scope, { kind: 'put', expected: null, keyed: false });
    await ask(scope, { kind: 'promote', target: null, expected: null });
    if (writes >= LEAST_WRITES && rollbacks > 0) return;
  }
  const last = JSON.stringify(asked.slice(-3));
  throw new Error(
    `${id} took ${writes} writes and ${rollbacks} rollbacks without a majority: ${last}`,
  );
}
