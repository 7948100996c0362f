import type { Outcome } from '@pawl/contracts';
import type { TimerHandle } from '@pawl/kernel';
import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from './owned-shard.js';
import { fenceUnchecked, noOwner } from './refusals.js';
import type { ShardRegistry } from './shard-registry.js';
import type { FenceReading } from './truth-store.port.js';

/** Checks in one lease TTL: one or two lost answers leave the last check young enough. */
const CHECKS_PER_TTL = 3;

/**
 * Asks PostgreSQL, for all owned shards in one query and some times per lease TTL, whether their
 * fences are still this node's; a shard whose fence is another's is dropped at once. What memory
 * tells of definitions and releases is served only under a check younger than the TTL.
 */
export class FenceChecks {
  /** Between two checks; also how long a read waits for one. */
  readonly #everyMs: number;
  #timer: TimerHandle | undefined;
  #running: Promise<void> | undefined;
  #failing = false;
  #stopped = false;

  constructor(
    private readonly context: EngineContext,
    private readonly shards: ShardRegistry,
  ) {
    this.#everyMs = context.settings.leaseTtlMs / CHECKS_PER_TTL;
  }

  start(): void {
    this.#timer = this.context.timer.after(this.#everyMs, () => {
      void this.#check();
      this.start();
    });
  }

  /** What is still being asked changes nothing any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Serves what this node's memory holds of a root, under a checked fence. */
  async read<T>(
    rootName: string,
    serve: () => Outcome<T> | Promise<Outcome<T>>,
  ): Promise<Outcome<T>> {
    const shard = this.shards.shardOf(rootName);
    if (shard === undefined) return noOwner();
    return (await this.unsure([shard])) ?? serve();
  }

  /**
   * Why what memory holds of these shards may not be told; `undefined` when it may. Checks first
   * when the last check is too old, and waits a third of the lease TTL for the answer.
   */
  async unsure(shards: readonly OwnedShard[]): Promise<Outcome<never> | undefined> {
    const isOld = (): boolean => shards.some((shard) => shard.serving && this.#isOld(shard));
    if (isOld()) await this.#checkInTime(isOld);
    if (shards.some((shard) => !shard.serving)) return noOwner();
    return isOld() ? fenceUnchecked() : undefined;
  }

  #isOld(shard: OwnedShard): boolean {
    const ageMs = this.context.clock.monotonicMs() - shard.fenceCheckedMs;
    return ageMs > this.context.settings.leaseTtlMs;
  }

  /** A check that was under way already may not be about these shards: then once more. */
  #checkInTime(isOld: () => boolean): Promise<void> {
    const isShared = this.#running !== undefined;
    return new Promise((resolve) => {
      const deadline = this.context.timer.after(this.#everyMs, resolve);
      const checked = this.#check().then(() => (isShared && isOld() ? this.#check() : undefined));
      void checked.then(() => {
        deadline.cancel();
        resolve();
      });
    });
  }

  /** Who asks while a check is under way shares it. Never rejects. */
  #check(): Promise<void> {
    this.#running ??= this.#checkAll()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #checkAll(): Promise<void> {
    const owned = this.shards.all();
    if (owned.length === 0) return;
    const askedMs = this.context.clock.monotonicMs();
    const reading = await this.context.truth.readFences(owned.map(({ shard }) => shard));
    if (this.#stopped) return;
    if (this.#failing) this.context.log.info('fences are checked again');
    this.#failing = false;
    this.#judge(
      owned.filter((shard) => this.shards.holds(shard)),
      reading,
      askedMs,
    );
  }

  #judge(owned: readonly OwnedShard[], { server, tokens }: FenceReading, askedMs: number): void {
    const moved = owned.filter(({ loadedFrom }) => loadedFrom !== server);
    if (moved.length > 0) {
      this.context.log.warn(
        'PostgreSQL is another server than shards were loaded from, or was promoted: they are claimed and loaded anew',
        { shards: moved.length, loadedFrom: moved[0]?.loadedFrom, server },
      );
    }
    for (const shard of owned) {
      if (shard.loadedFrom !== server) this.shards.loadAnew(shard);
      else if (tokens.get(shard.shard) === shard.token) shard.fenceConfirmed(askedMs);
      else this.shards.refusedByFence(shard);
    }
  }

  #failed(error: unknown): void {
    if (!this.#failing && !this.#stopped) {
      this.context.log.warn(
        'fences cannot be checked; reads are refused once the last check is old',
        {
          error: String(error),
        },
      );
    }
    this.#failing = true;
  }
}
