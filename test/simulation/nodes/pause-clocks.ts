import type { AddressText } from '@pawl/contracts';
import type { NewRelease } from './kept-truth.js';
import type { ClocksWorld, OwnClock } from './stage-clocks.js';
import { CLOCK_JUMP_MS } from './world-faults.js';

type Staged = NonNullable<NewRelease['staged']>;

interface Pause {
  readonly name: string;
  readonly clocks: ReadonlyMap<string, OwnClock>;
}

/**
 * How long an owner can have seen a release paused at most, by his own monotonic clock, with its jumps:
 * since he raised the fence, and since it was paused.
 */
export class PauseClocks {
  readonly #pauses = new Map<AddressText, Pause>();
  readonly #raised = new Map<number, { readonly owner: string; readonly ms: number }>();

  constructor(private readonly world: ClocksWorld) {}

  raised(shard: number, owner: string): void {
    this.#raised.set(shard, { owner, ms: shownBy(this.world.clocks().get(owner)) });
  }

  reached(address: AddressText, { state, staged }: NewRelease): void {
    if (state !== 'paused' || staged === null) return void this.#pauses.delete(address);
    const name = nameOf(staged);
    if (this.#pauses.get(address)?.name === name) return;
    this.#pauses.set(address, { name, clocks: this.world.clocks() });
  }

  /**
   * At most so long the owner of the shard has seen it paused; of what a restore brought back, and by one that
   * has died meanwhile, it is not known.
   */
  pausedMs(address: AddressText, staged: Staged, shard: number): number {
    const pause = this.#pauses.get(address);
    const raised = this.#raised.get(shard);
    if (raised === undefined || pause?.name !== nameOf(staged)) return Infinity;
    const clock = this.world.clocks().get(raised.owner);
    if (clock === undefined) return Infinity;
    const nowMs = shownBy(clock);
    return nowMs - Math.max(raised.ms, shownBy(pause.clocks.get(raised.owner)));
  }
}

function nameOf({ id, pausedAt = '' }: Staged): string {
  return `${id} ${pausedAt}`;
}

function shownBy(clock: OwnClock | undefined): number {
  return clock === undefined ? 0 : clock.ms + clock.jumps * CLOCK_JUMP_MS;
}
