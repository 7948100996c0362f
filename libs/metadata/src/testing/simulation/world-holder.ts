import { HeldLease } from './held-lease.js';
import type { World } from './world.js';

/** Until a life is given up on: later than any lease of one should be gone. */
const WATCHED_MS = 60_000;
const REST_MS = 300;

/** Takes leases, puts a key under each, renews them for a while and then lets them go or ends them. */
export class WorldHolder {
  constructor(
    private readonly world: World,
    private readonly name: string,
  ) {}

  start(): void {
    this.world.later(REST_MS * this.world.rng.next(), () => this.#take());
  }

  #take(): void {
    const { world } = this;
    if (world.isOver) return;
    HeldLease.take(world, this.name, 400 + world.rng.below(2_600), (lease) => {
      if (lease === null) this.start();
      else this.#renew(lease, world.rng.below(8));
    });
  }

  #renew(lease: HeldLease, more: number): void {
    const { world } = this;
    if (more === 0 || world.isOver) return this.#end(lease);
    world.later((lease.ttlMs / 3) * (0.5 + world.rng.next()), () => {
      lease.renew((outcome) => {
        if (outcome !== 'dead') return this.#renew(lease, more - 1);
        world.reached('renewal of an ended lease');
        this.start();
      });
    });
  }

  #end(lease: HeldLease): void {
    const { world } = this;
    if (world.rng.below(3) === 0) lease.revoke(this.name, () => this.start());
    else this.#awaitEnd(lease, world.nowMs() + WATCHED_MS);
  }

  #awaitEnd(lease: HeldLease, untilMs: number): void {
    const { world } = this;
    if (world.applied.deletedAt.has(lease.key)) world.reached('lease ran out');
    else if (world.nowMs() < untilMs && !world.isOver) {
      world.later(REST_MS, () => this.#awaitEnd(lease, untilMs));
      return;
    }
    this.start();
  }
}
