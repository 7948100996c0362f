import type { AddressText } from '@pawl/contracts';
import type { NewRelease } from './kept-truth.js';

type Staged = NonNullable<NewRelease['staged']>;

/** A jump of a clock counts as one look at most. */
const LOOK_MS = 2_000;

/** What a process's own clock has shown, without its jumps, and how often it has jumped. */
export interface OwnClock {
  readonly ms: number;
  readonly jumps: number;
}

export interface ClocksWorld {
  /** Of each process that runs, by `<node>/<incarnation>`. */
  clocks(): ReadonlyMap<string, OwnClock>;
}

interface Watched {
  readonly stage: string;
  /** Snapshots that tell the stage and that JetStream does not hold yet, by address. */
  readonly pending: Map<string, { readonly generation: number; readonly version: number }>;
  /** When it went on rolling, and when it was paused, in turns; the first once all is published. */
  readonly turns: ReadonlyMap<string, OwnClock>[];
  isRolling: boolean;
}

/**
 * How long an owner can have watched a stage at most, by his own clock: since he raised the fence, while
 * the release was rolling, and what tells the stage had been stored.
 */
export class StageClocks {
  readonly #watched = new Map<AddressText, Watched>();
  readonly #owners = new Map<number, { readonly owner: string; readonly clock: OwnClock }>();

  constructor(private readonly world: ClocksWorld) {}

  raised(shard: number, owner: string): void {
    const clock = this.world.clocks().get(owner) ?? { ms: 0, jumps: 0 };
    this.#owners.set(shard, { owner, clock });
  }

  ownerOf(shard: number): string {
    return this.#owners.get(shard)?.owner ?? '';
  }

  reached(
    address: AddressText,
    { state, staged }: NewRelease,
    heads: readonly {
      readonly address: string;
      readonly generation: number;
      readonly version: number;
    }[],
  ): void {
    if (staged === null) return void this.#watched.delete(address);
    const isRolling = state === 'rolling';
    const known = this.#watched.get(address);
    if (known?.stage === nameOf(staged)) {
      if (known.isRolling !== isRolling && known.pending.size === 0) this.#turn(known);
      known.isRolling = isRolling;
      return;
    }
    const pending = new Map(heads.map((head) => [head.address, head]));
    const watched = { stage: nameOf(staged), pending, turns: [], isRolling };
    this.#watched.set(address, watched);
    if (pending.size === 0 && isRolling) this.#turn(watched);
  }

  stored(address: string, generation: number, version: number): void {
    for (const watched of this.#watched.values()) {
      const wanted = watched.pending.get(address);
      if (wanted === undefined || generation < wanted.generation) continue;
      if (generation === wanted.generation && version < wanted.version) continue;
      watched.pending.delete(address);
      if (watched.pending.size === 0 && watched.isRolling) this.#turn(watched);
    }
  }

  /** At most so long the owner of the shard has watched it; of one that has died meanwhile it is not known. */
  bakedMs(address: AddressText, staged: Staged, shard: number): number {
    const watched = this.#watched.get(address);
    const owner = this.#owners.get(shard);
    if (owner === undefined || watched?.stage !== nameOf(staged)) return Infinity;
    const clocks = this.world.clocks();
    if (!clocks.has(owner.owner)) return Infinity;
    const turns = watched.isRolling ? [...watched.turns, clocks] : watched.turns;
    let sum = 0;
    for (let at = 0; at + 1 < turns.length; at += 2) {
      const from = later(owner.clock, turns[at]?.get(owner.owner));
      const to = later(owner.clock, turns[at + 1]?.get(owner.owner));
      sum += to.ms - from.ms + (to.jumps - from.jumps) * LOOK_MS;
    }
    return sum;
  }

  #turn(watched: Watched): void {
    watched.turns.push(this.world.clocks());
  }
}

function later(one: OwnClock, other: OwnClock | undefined): OwnClock {
  return other === undefined || other.ms < one.ms ? one : other;
}

function nameOf({ id, stage }: Staged): string {
  return `${id} ${stage}`;
}
