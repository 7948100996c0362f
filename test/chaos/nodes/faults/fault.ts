import { setTimeout as delay } from 'node:timers/promises';
import type { Rng } from '@pawl/kernel';
import { eventually } from '../../../support/eventually.js';
import type { LostStretch } from '../checks/forgive.js';
import type { Traffic } from '../traffic/traffic.js';
import { LEASE_TTL_MS, type World } from '../world/world.js';

export interface FaultContext {
  readonly world: World;
  /** It goes on throughout. */
  readonly traffic: Traffic;
  readonly rng: Rng;
}

/** What a fault did, for the measure of recovery. */
export interface Struck {
  /** Shards that could not be written for a while. */
  readonly shards: readonly number[];
  /** On the clock of the calls: when the harm was done, where others take over; else when it ended. */
  readonly since: number;
  /** When acknowledged writes may have been lost, by what nobody can help. */
  readonly lost?: LostStretch;
}

/** One kind of harm. `strike` does it once and undoes it; nodes may still be starting after it. */
export interface NodesFault {
  readonly name: string;
  /** What it does, in a sentence. */
  readonly does: string;
  readonly strike: (context: FaultContext) => Promise<Struck>;
}

export const wait = (ms: number): Promise<void> => delay(ms);
export { LEASE_TTL_MS };

const TAKEOVER_WITHIN_MS = 30_000;

export function pick<T>(rng: Rng, list: readonly T[]): T {
  const item = list[rng.below(list.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** In [least, most) milliseconds. */
export const between = (rng: Rng, least: number, most: number): number =>
  least + rng.next() * (most - least);

/** A node that owns shards, with these. */
export async function someOwner({ world, rng }: FaultContext) {
  const owners = await eventually(() => world.owners());
  const id = pick(rng, [...new Set(owners.map(({ owner }) => owner))].sort());
  const shards = owners.filter(({ owner }) => owner === id).map(({ shard }) => shard);
  return { id, shards };
}

export const allShards = ({ world }: FaultContext): readonly number[] =>
  Array.from({ length: world.options.shards }, (_, shard) => shard);

export const othersOf = ({ world }: FaultContext, ids: readonly string[]): readonly string[] =>
  world.ids.filter((id) => !ids.includes(id));

/** Until nodes of `ids` serve all shards. */
export async function takenOver({ world }: FaultContext, ids: readonly string[]): Promise<void> {
  await eventually(() => world.cluster.served(ids), TAKEOVER_WITHIN_MS);
}

/** Until so many more writes were acknowledged. */
export async function someWrites({ traffic }: FaultContext, count: number): Promise<void> {
  const wanted = traffic.acknowledged + count;
  await eventually(() => {
    if (traffic.acknowledged < wanted) throw new Error('no writes are acknowledged');
  }, TAKEOVER_WITHIN_MS);
}
