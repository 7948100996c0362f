import type { Clock, Timer } from '@pawl/kernel';
import type { ShardClaim, ShardOwnership } from '../sharding/shard-ownership.port.js';

export interface ShardWaitsOptions {
  readonly ownership: Pick<ShardOwnership, 'map' | 'lookUp' | 'onChange'>;
  readonly clock: Clock;
  readonly timer: Timer;
}

/** The quorum may have no majority: then the map is all there is. */
const LOOK_UP_MS = 1_000;
/** An answer of the quorum is good for whoever asks within this time of the question. */
const LOOK_UP_EVERY_MS = 100;

interface LookUp {
  readonly askedMs: number;
  readonly token: Promise<bigint>;
}

interface Waiter {
  readonly seen: string;
  readonly wake: () => void;
}

/**
 * What requests for a shard wait for, together, however many they are: one question to the quorum per
 * shard, and one eye on the map, which wakes those whose shard's claim is another than they saw.
 */
export class ShardWaits {
  readonly #lookUps = new Map<number, LookUp>();
  readonly #waiting = new Map<number, Set<Waiter>>();
  #changes: { stop(): void } | undefined;

  constructor(private readonly options: ShardWaitsOptions) {}

  /** Token of the claim as the quorum has it; 0n: nobody claims the shard, or the quorum does not say. */
  lookUp(shard: number): Promise<bigint> {
    const nowMs = this.options.clock.monotonicMs();
    const last = this.#lookUps.get(shard);
    if (last !== undefined && nowMs - last.askedMs < LOOK_UP_EVERY_MS) return last.token;
    const token = this.#ask(shard);
    this.#lookUps.set(shard, { askedMs: nowMs, token });
    return token;
  }

  /** Resolves when the map shows another claim of the shard than `seen`, after `ms` at the latest. */
  changed(shard: number, seen: ShardClaim | undefined, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.#waiting.get(shard) ?? new Set();
      const waiter: Waiter = { seen: claimText(seen), wake: () => over() };
      const late = this.options.timer.after(ms, () => over());
      const over = (): void => {
        late.cancel();
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiting.get(shard) === waiters) this.#forget(shard);
        resolve();
      };
      this.#waiting.set(shard, waiters.add(waiter));
      this.#changes ??= this.options.ownership.onChange(() => this.#look());
    });
  }

  #look(): void {
    const map = this.options.ownership.map();
    for (const [shard, waiters] of [...this.#waiting]) {
      const now = claimText(map[shard]);
      for (const { seen, wake } of [...waiters]) if (seen !== now) wake();
    }
  }

  #forget(shard: number): void {
    this.#waiting.delete(shard);
    if (this.#waiting.size > 0) return;
    this.#changes?.stop();
    this.#changes = undefined;
  }

  #ask(shard: number): Promise<bigint> {
    const { ownership, timer } = this.options;
    return new Promise((resolve) => {
      const late = timer.after(LOOK_UP_MS, () => resolve(0n));
      const found = (token: bigint): void => {
        late.cancel();
        resolve(token);
      };
      ownership.lookUp(shard).then(
        (claim) => found(claim.token ?? 0n),
        () => found(0n),
      );
    });
  }
}

function claimText(claim: ShardClaim | undefined): string {
  return claim === undefined ? '' : `${claim.token} ${claim.serving}`;
}
