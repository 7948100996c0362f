import { eventually } from '../../../support/eventually.js';
import { BROKEN, STALLED } from '../../network/links.js';
import { withClient } from '../world/audit.js';
import type { FleetMember } from '../world/fleet-member.js';
import type { ConsumerRecord, Fleet } from '../world/fleet.js';
import { readSnapshots } from '../world/read-truth.js';
import { NATS } from '../world/world.js';
import { between, LEASE_TTL_MS, pick, wait, type FaultContext, type NodesFault } from './fault.js';
import { VoidError } from '../void-error.js';

/** Scopes that must have gone on while consumers could not. */
const MOVED_ON = 3;
const MOVES_WITHIN_MS = 30_000;
const ARRIVES_WITHIN_MS = 1_000;
const FOLLOWS_WITHIN_MS = 30_000;

/** Harms a process of consumers; it must be whole again, and know nothing yet, when this resolves. */
type Harm = (context: FaultContext, member: FleetMember) => Promise<void>;

/** A process of consumers misses releases, and follows once it may. */
function consumers(name: string, does: string, harm: Harm): NodesFault {
  return {
    name,
    does,
    strike: async (context) => {
      const { member, fleet } = someMember(context);
      try {
        await harm(context, member);
      } finally {
        member.resume();
        context.world.links.heal();
      }
      const since = performance.now();
      const seen = (await own(fleet, member)).length;
      await eventually(async () => {
        if ((await own(fleet, member)).length === seen)
          throw new Error(`${member.id} follows nothing again`);
      }, FOLLOWS_WITHIN_MS);
      return { shards: [], since };
    },
  };
}

function someMember({ world, rng }: FaultContext) {
  const { fleet } = world;
  if (fleet === null) throw new VoidError('there are no consumers');
  return { fleet, member: pick(rng, fleet.members) };
}

async function own(fleet: Fleet, member: FleetMember): Promise<readonly ConsumerRecord[]> {
  return (await fleet.records()).filter(({ consumer }) => member.has(consumer));
}

/** Until snapshots of some scopes that `member` follows are later than what it runs. */
async function movedOn({ world }: FaultContext, member: FleetMember): Promise<void> {
  const { fleet } = world;
  if (fleet === null) return;
  const records = (await own(fleet, member)).filter(({ kind }) => kind === 'applied');
  const runs = new Map(records.map(({ address, version }) => [address, version]));
  await eventually(async () => {
    const snapshots = await withClient(world.truth.url, readSnapshots);
    const later = snapshots.filter(({ scope, version }) => version > (runs.get(scope) ?? version));
    if (later.length < MOVED_ON) throw new VoidError(`only ${later.length} scopes moved on`);
  }, MOVES_WITHIN_MS);
}

/** While `harmed`, releases go on for a while and none reaches the process. */
async function misses(context: FaultContext, member: FleetMember): Promise<void> {
  const { fleet } = context.world;
  if (fleet === null) return;
  // What had been received before may still be applied.
  await wait(ARRIVES_WITHIN_MS);
  const before = (await own(fleet, member)).length;
  await movedOn(context, member);
  await wait(between(context.rng, 0, LEASE_TTL_MS));
  const after = (await own(fleet, member)).length;
  if (after > before) throw new VoidError(`${after - before} snapshots reached ${member.id}`);
}

/** Breaks connections to NATS, or holds back all that is sent either way. */
function cutOff({ world, rng }: FaultContext, member: FleetMember): void {
  const state = pick(rng, [BROKEN, STALLED]);
  world.links.set(member.id, NATS, state);
  world.links.set(NATS, member.id, state);
}

export const CONSUMER_FAULTS: readonly NodesFault[] = [
  consumers(
    'consumers cut from NATS',
    'cuts a process of consumers from NATS (broken, or silent both ways) while releases go on, which it must miss and then follow',
    async (context, member) => {
      cutOff(context, member);
      await misses(context, member);
    },
  ),
  consumers(
    'consumers paused',
    'holds a process of consumers still (SIGSTOP) while releases go on',
    async (context, member) => {
      member.pause();
      await misses(context, member);
    },
  ),
  consumers(
    'consumers kill -9',
    'ends a process of consumers at once and starts it again while it cannot reach NATS: it must run what its files hold',
    async (context, member) => {
      const { rng, world } = context;
      const { fleet } = world;
      await wait(between(rng, 0, 1_000));
      await member.kill();
      cutOff(context, member);
      const before = (await own(fleet as Fleet, member)).length;
      await movedOn(context, member);
      await member.start();
      const started = (await own(fleet as Fleet, member)).slice(before);
      if (!started.every(({ isStart }) => isStart === true))
        throw new VoidError(`${member.id} went on without NATS`);
    },
  ),
  consumers(
    'consumers kill -9, NATS within reach',
    'ends a process of consumers at once, up to three times in a row, and starts it again at once',
    async (context, member) => {
      for (let left = 1 + context.rng.below(3); left > 0; left -= 1) {
        await wait(between(context.rng, 0, 1_000));
        await member.kill();
        if (left === 1) await movedOn(context, member);
        await member.start();
      }
    },
  ),
];
