import { subjectsOf } from '@pawl/contracts';
import { eventually } from '../../../support/eventually.js';
import { BROKEN, OPEN, STALLED } from '../../network/links.js';
import { isAcknowledged } from '../traffic/call.js';
import { withClient } from '../world/audit.js';
import { Holder } from '../world/holder.js';
import { NATS, POSTGRES, type World } from '../world/world.js';
import {
  between,
  LEASE_TTL_MS,
  othersOf,
  pick,
  someOwner,
  wait,
  type FaultContext,
  type NodesFault,
} from './fault.js';

const COMMIT = 'pawl_commit';
const PUBLISH = `PUB ${subjectsOf('main').prefix}.snapshot.`;
const REACHED_WITHIN_MS = 20_000;
const WRITES_WITHIN_MS = 20_000;

interface Stopped {
  readonly id: string;
  /** Lets what was held go on. */
  readonly release: () => Promise<void> | void;
}

/** An owner stands still at a point for longer than its lease, and then goes on as the owner. */
function standstill(point: string, reach: (context: FaultContext) => Promise<Stopped>): NodesFault {
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
        if (shards.length === 0) throw new Error(`void: ${id} owns nothing`);
        const before = await tokensOf(world, shards);
        await wait(between(rng, 1.2 * LEASE_TTL_MS, 2 * LEASE_TTL_MS));
        await release();
        const since = performance.now();
        node.resume();
        await writesGoOn(context, shards, since);
        for (const [shard, token] of await tokensOf(world, shards)) {
          if (before.get(shard) !== token) throw new Error(`void: shard ${shard} was taken over`);
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
  if (used.length === 0) throw new Error('void: the owner has no scope');
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

/** Silent in one direction from the moment on in which an owner sends a service this text. */
async function silentFrom(
  context: FaultContext,
  text: string,
  service: typeof POSTGRES | typeof NATS,
  way: 'there' | 'back',
): Promise<Stopped> {
  const { world } = context;
  const { id } = await someOwner(context);
  const [from, to] = way === 'there' ? [id, service] : [service, id];
  const trap = world.gate(id, service).trap(text, () => world.links.set(from, to, STALLED));
  await eventually(() => {
    const isHeld = way === 'there' || (trap.passage?.back.heldBytes ?? 0) > 0;
    if (trap.passage === null || !isHeld) throw new Error(`void: ${id} has not come to the point`);
  }, REACHED_WITHIN_MS);
  return { id, release: () => world.links.set(from, to, OPEN) };
}

/** A lock of the database is held until a commit waits for it; the owner is that of the shard. */
async function behind(
  { world }: FaultContext,
  lock: (holder: Holder) => Promise<void>,
): Promise<Stopped> {
  const holder = await Holder.open(world.truth.url);
  try {
    await lock(holder);
    const { shard } = await holder.someoneWaits(REACHED_WITHIN_MS);
    const owners = await eventually(() => world.owners());
    const id = owners.find((one) => one.shard === shard)?.owner;
    if (id === undefined) throw new Error(`void: nobody owns shard ${shard}`);
    return { id, release: () => holder.release() };
  } catch (error) {
    await holder.release();
    throw error;
  }
}

export const STANDSTILL_FAULTS: readonly NodesFault[] = [
  standstill('anywhere', async (context) => {
    const { id } = await someOwner(context);
    return { id, release: () => undefined };
  }),
  standstill('before BEGIN', (context) => silentFrom(context, COMMIT, POSTGRES, 'there')),
  standstill('before the fence SELECT', (context) => {
    const { scopes } = context.world;
    const shard = context.world.shardOf(pick(context.rng, scopes));
    return behind(context, (holder) => holder.holdShard(shard));
  }),
  standstill('after its write', (context) =>
    behind(context, (holder) =>
      holder.hold('LOCK TABLE history_entry IN SHARE ROW EXCLUSIVE MODE'),
    ),
  ),
  standstill('between COMMIT and reply', (context) =>
    silentFrom(context, COMMIT, POSTGRES, 'back'),
  ),
  standstill('between COMMIT and publish', (context) =>
    silentFrom(context, PUBLISH, NATS, 'there'),
  ),
];
