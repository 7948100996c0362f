import type { Address, AddressText, TruthBehind } from '@pawl/contracts';
import { ReadWriteLock } from '@pawl/kernel';
import type { TimerHandle } from '@pawl/kernel';
import { AcceptedKinds } from '../release/accepted-kinds.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import type { CommitQueue } from './commit-queue.js';
import type { Fence, FencingToken } from './fence.js';
import { RootTree } from './root-tree.js';

/** One root in its owner's memory, with the locks that order its commands. */
export class OwnedRoot {
  tree: RootTree;
  /** Set after a commit whose outcome is unknown: memory must be read anew before it is used. */
  uncertain = false;
  /** The next attempt to read it anew. */
  reloading: TimerHandle | undefined;
  /** What its consumers said in the preflights of releases under way. */
  readonly accepted = new AcceptedKinds();
  /** Releases hold it exclusively; writes of definitions share it. */
  readonly lock: ReadWriteLock;
  readonly #addressLocks = new Map<AddressText, ReadWriteLock>();

  constructor(
    readonly name: string,
    readonly shard: OwnedShard,
    private readonly maxWaiters: number,
  ) {
    this.tree = new RootTree(shard.generation);
    this.lock = new ReadWriteLock(maxWaiters);
  }

  /** Runs `work` while nobody else writes this address. */
  async withAddress<T>(of: Address, work: () => Promise<T>): Promise<T> {
    let lock = this.#addressLocks.get(of.text);
    if (lock === undefined) {
      lock = new ReadWriteLock(this.maxWaiters);
      this.#addressLocks.set(of.text, lock);
    }
    try {
      return await lock.run('exclusive', work);
    } finally {
      if (lock.idle) this.#addressLocks.delete(of.text);
    }
  }
}

/** A shard that this node claimed; served once loaded, until it is lost. */
export class OwnedShard implements Fence {
  readonly roots = new Map<string, OwnedRoot>();
  /** In memory, and not yet lost: it may be compared with JetStream and published. */
  loaded = false;
  /** Loaded and compared, and not yet lost. */
  serving = false;
  /** Of the installation, as memory was loaded. */
  generation = 0;
  /** Transactions that have committed changesets of the shard, as far as this owner knows. */
  committed = 0n;
  /** Fencing token under which the last of them did, as far as this owner knows; 0: it does not. */
  countedUnder = 0n;
  /** What PostgreSQL lacks of it: it is read-only, and nothing of it is published. */
  behind: TruthBehind | null = null;
  /** Whether PostgreSQL knows of it, under this owner's fence. */
  behindIsSaved = false;
  /** PostgreSQL server that memory was loaded from; see `FenceReading`. */
  loadedFrom = '';
  /** Monotonic time at which the fence was surely still this owner's; only grows. */
  #fenceCheckedMs = -Infinity;

  readonly shard: number;
  readonly token: FencingToken;

  constructor(
    fence: Fence,
    readonly consumers: ShardConsumers,
    /** The only way to write in the shard. */
    readonly commits: CommitQueue,
    private readonly maxWaiters: number,
  ) {
    this.shard = fence.shard;
    this.token = fence.token;
  }

  get fenceCheckedMs(): number {
    return this.#fenceCheckedMs;
  }

  /** PostgreSQL answered a question asked at `askedMs` (monotonic) that the fence is this owner's. */
  fenceConfirmed(askedMs: number): void {
    this.#fenceCheckedMs = Math.max(this.#fenceCheckedMs, askedMs);
  }

  /** The root by name; made empty when nobody wrote below it yet. */
  root(name: string): OwnedRoot {
    let root = this.roots.get(name);
    if (root === undefined) {
      root = new OwnedRoot(name, this, this.maxWaiters);
      this.roots.set(name, root);
    }
    return root;
  }
}
