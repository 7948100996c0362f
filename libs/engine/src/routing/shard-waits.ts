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
  /** 0n once the quorum has been silent for {@link LOOK_UP_MS}. */
  readonly token: Promise<bigint>;
  /** Whether the question has come to an end; until then it is not asked again. */
  answered: boolean;
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
    const isGood = last !== undefined && nowMs - last.askedMs < LOOK_UP_EVERY_MS;
    if (isGood || last?.answered === false) return last.token;
    const asked = this.options.ownership.lookUp(shard).then(
      ({ token }) => token ?? 0n,
      () => 0n,
    );
    const lookUp: LookUp = { askedMs: nowMs, token: this.#soon(asked), answered: false };
    void asked.then(() => (lookUp.answered = true));
    this.#lookUps.set(shard, lookUp);
    return lookUp.token;
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

  #soon(asked: Promise<bigint>): Promise<bigint> {
    return new Promise((resolve) => {
      const late = this.options.timer.after(LOOK_UP_MS, () => resolve(0n));
      void asked.then((token) => {
        late.cancel();
        resolve(token);
      });
    });
  }
}

function claimText(claim: ShardClaim | undefined): string {
  return claim === undefined ? '' : `${claim.token} ${claim.serving}`;
}
