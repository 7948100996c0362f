import { subjectsOf } from '@pawl/contracts';
import { OPEN, STALLED } from '../../network/links.js';
import { eventually } from '../../../support/eventually.js';
import { Holder } from '../world/holder.js';
import { NATS, POSTGRES } from '../world/world.js';
import { between, pick, someOwner, wait, type FaultContext } from './fault.js';
import { VoidError } from '../void-error.js';

/** A point of a commit at which an owner can be held. */
export interface CommitPoint {
  /** Where it is then, after "owner paused". */
  readonly name: string;
  readonly does: string;
  /** What is held keeps others from taking over too. */
  readonly holdsOthers: boolean;
  readonly reach: (context: FaultContext) => Promise<Reached>;
}

export interface Reached {
  /** The owner that has come to the point. */
  readonly id: string;
  /** Lets what was held go on; may be called again. */
  readonly release: () => Promise<void> | void;
}

/** Name of the prepared statements that commit; stands in every message that binds one. */
const COMMIT = 'pawl_commit';
/** How the publication of a snapshot begins. */
export const PUBLISH = `PUB ${subjectsOf('main').prefix}.snapshot.`;
export const REACHED_WITHIN_MS = 20_000;

/** Silent in one direction from the moment on in which an owner sends a service this text. */
async function silentFrom(
  context: FaultContext,
  text: string,
  service: typeof POSTGRES | typeof NATS,
  way: 'there' | 'back',
): Promise<Reached> {
  const { world, rng } = context;
  const { id } = await someOwner(context);
  const [from, to] = way === 'there' ? [id, service] : [service, id];
  const stall = () => world.links.set(from, to, STALLED);
  try {
    const { back } = await world.gate(id, service).trap(text, stall, REACHED_WITHIN_MS);
    await eventually(() => {
      if (way === 'back' && back.heldBytes === 0) throw new Error('it is not answered');
    }, REACHED_WITHIN_MS);
  } catch (cause) {
    throw new VoidError(`${id} has not come to the point`, { cause });
  }
  await wait(between(rng, 0, 300));
  return { id, release: () => world.links.set(from, to, OPEN) };
}

/** A lock of the database is held until a commit waits for it; the owner is that of the shard. */
async function behind(
  { world }: FaultContext,
  lock: (holder: Holder) => Promise<void>,
): Promise<Reached> {
  const holder = await Holder.open(world.truth.url);
  try {
    await lock(holder);
    const { shard } = await holder.someoneWaits(REACHED_WITHIN_MS);
    const owners = await eventually(() => world.owners());
    const id = owners.find((one) => one.shard === shard)?.owner;
    if (id === undefined) throw new VoidError(`nobody owns shard ${shard}`);
    return { id, release: () => holder.release() };
  } catch (error) {
    await holder.release();
    throw error;
  }
}

export const BEFORE_BEGIN: CommitPoint = {
  name: 'before BEGIN',
  does: 'holds back what an owner sends PostgreSQL, from a commit on',
  holdsOthers: false,
  reach: (context) => silentFrom(context, COMMIT, POSTGRES, 'there'),
};

export const COMMIT_POINTS: readonly CommitPoint[] = [
  BEFORE_BEGIN,
  {
    name: 'before the fence SELECT',
    does: "holds a shard's lock until a commit waits for it",
    holdsOthers: false,
    reach: (context) => {
      const { scopes } = context.world;
      const shard = context.world.shardOf(pick(context.rng, scopes));
      return behind(context, (holder) => holder.holdShard(shard));
    },
  },
  {
    name: 'after its write',
    does: 'holds the table of the history until a commit that has written definitions waits for it',
    holdsOthers: true,
    reach: (context) =>
      behind(context, (holder) =>
        holder.hold('LOCK TABLE history_entry IN SHARE ROW EXCLUSIVE MODE'),
      ),
  },
  {
    name: 'between COMMIT and reply',
    does: 'holds back what PostgreSQL answers an owner, from the answer to a commit on',
    holdsOthers: false,
    reach: (context) => silentFrom(context, COMMIT, POSTGRES, 'back'),
  },
  {
    name: 'between COMMIT and publish',
    does: 'holds back what an owner sends NATS, from a snapshot on',
    holdsOthers: false,
    reach: (context) => silentFrom(context, PUBLISH, NATS, 'there'),
  },
];
