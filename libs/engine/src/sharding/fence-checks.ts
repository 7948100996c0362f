import type { Outcome, TruthBehind } from '@pawl/contracts';
import type { TimerHandle } from '@pawl/kernel';
import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from './owned-shard.js';
import { fenceUnchecked, noOwner } from './refusals.js';
import type { ShardRegistry } from './shard-registry.js';
import type { FenceReading } from './truth-store.port.js';
import { unconfirmedSince } from '../status/unconfirmed-since.js';

/** Checks in one lease TTL: a lost shard is dropped within a third of it, also when nobody reads. */
const CHECKS_PER_TTL = 3;

/** Shards whose fences were found to be this node's. */
type Confirmed = ReadonlySet<OwnedShard>;

const NOTHING: Confirmed = new Set();

/** A shard, and what its owner knew to be in PostgreSQL when it asked. */
interface Asked {
  readonly shard: OwnedShard;
  readonly committed: bigint;
  readonly isBehind: boolean;
}

/**
 * Asks PostgreSQL, in one query, whether the fences of owned shards are still this node's; a
 * shard whose fence is another's, or whose truth is another than the one in memory, is dropped at once. It
 * asks some times per lease TTL, and for every read: what memory tells of definitions and releases is told
 * only under a check that was asked after the read came. All reads that wait share one query; those that come while one is under way share the
 * next one, so at most one is under way and one waits. What others' shards lack it asks for by time only.
 */
export class FenceChecks {
  /** Between two checks that nobody asked for; also how long a read waits for one. */
  readonly #everyMs: number;
  #timer: TimerHandle | undefined;
  #running: Promise<Confirmed> | undefined;
  #next: Promise<Confirmed> | undefined;
  #failing = false;
  #stopped = false;
  #behind: ReadonlyMap<number, TruthBehind> = new Map();
  /** Questions about what shards lack that are under way. */
  #looks = 0;

  constructor(
    private readonly context: EngineContext,
    private readonly shards: ShardRegistry,
  ) {
    this.#everyMs = context.settings.leaseTtlMs / CHECKS_PER_TTL;
  }

  start(): void {
    this.#timer = this.context.timer.after(this.#everyMs, () => {
      if (this.#running === undefined) void this.#check();
      if (this.#looks === 0) void this.#look();
      this.start();
    });
  }

  /** What is still being asked changes nothing any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Read-only shards, of all nodes, as of a third of the lease ago. */
  get behind(): ReadonlyMap<number, TruthBehind> {
    return this.#behind;
  }

  /** Something may have changed: looks without waiting for the next check. */
  checkNow(): void {
    void this.#checkAfterNow();
    void this.#look();
  }

  /** Serves what this node's memory holds of a root, under a check that is asked now. */
  async read<T>(
    rootName: string,
    serve: () => Outcome<T> | Promise<Outcome<T>>,
  ): Promise<Outcome<T>> {
    const shard = this.shards.shardOf(rootName);
    if (shard === undefined) return noOwner();
    return (await this.unsure(shard)) ?? serve();
  }

  /**
   * Why what memory holds of this shard, now or when this resolves, may not be told; `undefined` when
   * it may: the fence was this node's at some time after the call. Waits a third of the lease TTL for
   * the answer.
   */
  async unsure(shard: OwnedShard): Promise<Outcome<never> | undefined> {
    if (!shard.serving) return noOwner();
    const confirmed = await this.#inTime(this.#checkAfterNow());
    if (!shard.serving) return noOwner();
    return confirmed.has(shard) ? undefined : fenceUnchecked();
  }

  /** The same under a check, or a commit, that is younger than the lease TTL: a first look only. */
  async unsureForLong(shard: OwnedShard): Promise<Outcome<never> | undefined> {
    if (!shard.serving) return noOwner();
    return unconfirmedSince(this.context, shard) === undefined ? undefined : this.unsure(shard);
  }

  #inTime(check: Promise<Confirmed>): Promise<Confirmed> {
    return new Promise((resolve) => {
      const deadline = this.context.timer.after(this.#everyMs, () => resolve(NOTHING));
      void check.then((confirmed) => {
        deadline.cancel();
        resolve(confirmed);
      });
    });
  }

  /** A check that is under way may have been asked before: then the next one, which others share. */
  #checkAfterNow(): Promise<Confirmed> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#check();
    this.#next = this.#running.then(() => {
      this.#next = undefined;
      return this.#check();
    });
    return this.#next;
  }

  /** One at a time. Never rejects. */
  #check(): Promise<Confirmed> {
    this.#running = this.#checkAll()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #checkAll(): Promise<Confirmed> {
    const owned = this.shards.all().map((shard) => {
      const { committed, behindIsSaved: isBehind } = shard;
      return { shard, committed, isBehind };
    });
    const askedMs = this.context.clock.monotonicMs();
    const reading = await this.context.truth.readFences(owned.map(({ shard }) => shard.shard));
    if (this.#stopped) return NOTHING;
    if (this.#failing) this.context.log.info('fences are checked again');
    this.#failing = false;
    const held = owned.filter(({ shard }) => this.shards.holds(shard));
    return this.#judge(held, reading, askedMs);
  }

  /** Never rejects: where it fails, the check of the fences does and says so. */
  async #look(): Promise<void> {
    this.#looks += 1;
    try {
      this.#behind = (await this.context.truth.readBehind()).shards;
    } catch {
      // As of the last time.
    } finally {
      this.#looks -= 1;
    }
  }

  #judge(owned: readonly Asked[], reading: FenceReading, askedMs: number): Confirmed {
    this.#tellOfAnother(owned, reading);
    const confirmed = new Set<OwnedShard>();
    for (const asked of owned) {
      const { shard } = asked;
      if (isAnotherTruth(asked, reading)) this.shards.loadAnew(shard);
      else if (reading.tokens.get(shard.shard) !== shard.token) this.shards.refusedByFence(shard);
      else {
        shard.fenceConfirmed(askedMs);
        confirmed.add(shard);
      }
    }
    return confirmed;
  }

  #tellOfAnother(owned: readonly Asked[], reading: FenceReading): void {
    const [first, ...others] = owned.filter((asked) => isAnotherTruth(asked, reading));
    if (first === undefined) return;
    const { loadedFrom, generation } = first.shard;
    const before = { server: loadedFrom, generation, commits: String(first.committed) };
    const commits = String(reading.commits.get(first.shard.shard) ?? 0n);
    const now = { server: reading.server, generation: reading.generation, commits };
    this.context.log.warn(
      'PostgreSQL is another server than shards were loaded from, was promoted, has lost commits, or a restore was accepted: they are claimed and loaded anew',
      { shards: 1 + others.length, before, now },
    );
  }

  #failed(error: unknown): Confirmed {
    if (!this.#failing && !this.#stopped) {
      this.context.log.warn('fences cannot be checked; reads are refused until they can', {
        error: String(error),
      });
    }
    this.#failing = true;
    return NOTHING;
  }
}

/** What memory was loaded from, and what it has learned since, is not what PostgreSQL holds now. */
function isAnotherTruth({ shard, committed, isBehind }: Asked, reading: FenceReading): boolean {
  const hasBehind = reading.behind.has(shard.shard);
  return (
    shard.loadedFrom !== reading.server ||
    shard.generation !== reading.generation ||
    committed > (reading.commits.get(shard.shard) ?? 0n) ||
    (hasBehind ? shard.behind === null : isBehind)
  );
}
