import { address } from '@pawl/contracts';
import type { AddressText, JsonObject } from '@pawl/contracts';
import { isFreezing } from './freeze-rules.js';
import type { NodesWorldView } from './world-view.js';
import { WorldWriter } from './writer.js';

const EVERY_MS = 1_200;
const HOUR_MS = 3_600_000;
const SHORT_MS = 6_000;
/** Of so many policies that are written one freezes. */
const RARELY = 6;

/** Of the root's second scope, of one below it, and of another root. */
const POLICIES: readonly AddressText[] = ['acme/prod', 'acme/prod/shop/eu', 'beta/x'].map(
  (scope) => address(`${scope}:release-policy`).text,
);

/** For an incident, and a window: from when, up to when. */
type Freeze = readonly [string | null, number, number];
const NEVER: Freeze = [null, 0, 0];

/** Freezes scopes, for good, for a time that is longer than the world, or for moments; and lifts that again. */
export class Freezer {
  readonly #writer: WorldWriter;

  constructor(private readonly world: NodesWorldView) {
    this.#writer = new WorldWriter(world, 'f');
  }

  start(): void {
    const { world } = this;
    world.later(EVERY_MS * 2 * world.rng.next(), () => {
      if (world.isOver) return;
      void this.#write().then(() => this.start());
    });
  }

  async #write(): Promise<void> {
    const { rng, ledger } = this.world;
    const at = POLICIES[rng.below(POLICIES.length)] as AddressText;
    const freezes = rng.below(RARELY) === 0 && !isFreezing(ledger.truth, at);
    const [frozen, sinceMs, untilMs] = freezes ? this.#freeze() : NEVER;
    const [since, until] = [timeOf(sinceMs), timeOf(untilMs)];
    const policy = (op: string): JsonObject => ({
      frozen,
      freezes: [{ reason: op, since, until }],
    });
    await this.#writer.write(at, policy);
    await this.#writer.release(at, (reason) => ({ action: 'promote', reason }));
  }

  #freeze(): Freeze {
    const { rng } = this.world;
    const nowMs = this.world.nowMs();
    switch (rng.below(3)) {
      case 0:
        this.world.reached('scope frozen');
        return ['an incident', 0, 0];
      case 1:
        this.world.reached('scope frozen by a long window');
        return [null, nowMs - 9 * HOUR_MS, nowMs + 9 * HOUR_MS];
      default:
        this.world.reached('scope frozen by a short window');
        return [null, nowMs, nowMs + SHORT_MS * rng.next()];
    }
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
