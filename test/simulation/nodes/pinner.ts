import type { AddressText, ReleaseRequest } from '@pawl/contracts';
import { SHORTEST_PIN_MS, STAGED_ADDRESSES } from './staged-scenery.js';
import type { NodesWorldView } from './world-view.js';
import { WorldWriter } from './writer.js';

const EVERY_MS = 500;
const LONGER_MS = 4_000;
const HOUR_MS = 3_600_000;

/** A scope, and one that lies above it. */
type Way = readonly [AddressText, AddressText];

const WAYS: readonly Way[] = STAGED_ADDRESSES.flatMap((at) =>
  STAGED_ADDRESSES.filter((each) => at.startsWith(`${each}/`)).map((above) => [at, above] as const),
);

/** Pins scopes to versions of what lies above them, and lets them go again. */
export class Pinner {
  readonly #writer: WorldWriter;

  constructor(private readonly world: NodesWorldView) {
    this.#writer = new WorldWriter(world, 'n');
  }

  start(): void {
    const { world } = this;
    world.later(EVERY_MS * 2 * world.rng.next(), () => {
      if (world.isOver) return;
      const way = this.#way();
      const asked = way === undefined ? Promise.resolve() : this.#ask(way);
      void asked.then(() => this.start());
    });
  }

  #ask([at, ancestor]: Way): Promise<void> {
    const { rng, ledger, histories } = this.world;
    const { pins } = ledger.truth.release(at);
    const told = histories.floor(at).release;
    const seen = rng.below(4) === 0 ? { expectedReleaseVersion: told } : {};
    const pin = pins[rng.below(Math.max(1, pins.length))];
    if (pin !== undefined && rng.below(4) === 0) {
      const exception = rng.below(4) === 0 ? { freezeException: 'it cannot wait' } : {};
      const unpin = { ...seen, ...exception, action: 'unpin', ancestor: pin.ancestor };
      return this.#writer.release(at, (reason) => ({ ...unpin, reason }));
    }
    const asked = { ...seen, ...this.#version(ancestor), ...this.#end(), ancestor };
    return this.#writer.release(at, (reason) => ({ ...asked, action: 'pin', reason }));
  }

  /** A scope, and one above it: mostly where something can be pinned; undefined: nowhere yet. */
  #way(): Way | undefined {
    const { rng, ledger } = this.world;
    const ready = WAYS.filter(([at, ancestor]) => {
      const { state, stableVersion } = ledger.truth.release(ancestor);
      const isThere = state !== 'disabled' && stableVersion !== null;
      return isThere && ledger.of(at).definitions.length > 0;
    });
    const among = rng.below(8) > 0 ? ready : WAYS;
    return among[rng.below(Math.max(1, among.length))];
  }

  /** What is there, or one that was: higher ones are refused. */
  #version(ancestor: AddressText): Pick<ReleaseRequest, 'targetVersion'> {
    const { rng, ledger } = this.world;
    if (rng.below(2) === 0) return {};
    const { stableVersion } = ledger.truth.release(ancestor);
    return { targetVersion: Math.max(1, (stableVersion ?? 1) + 1 - rng.below(5)) };
  }

  #end(): Pick<ReleaseRequest, 'until' | 'expireMs'> {
    const { rng } = this.world;
    const shortMs = SHORTEST_PIN_MS + rng.below(LONGER_MS);
    switch (rng.below(4)) {
      case 0:
        return { until: new Date(this.world.nowMs() + LONGER_MS + shortMs).toISOString() };
      case 1:
        return { expireMs: HOUR_MS };
      default:
        return { expireMs: shortMs };
    }
  }
}
