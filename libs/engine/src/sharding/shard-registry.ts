import { shardOf, isHigher, LIMITS } from '@pawl/contracts';
import type { Address, AddressText, Snapshot } from '@pawl/contracts';
import type { SnapshotHead } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import { Turns } from '../turns.js';
import type { Publication, PublicationHost } from '../publication/publication.js';
import type { RolloutWatchers } from '../status/rollout-watchers.js';
import { ShardConsumers } from '../status/shard-consumers.js';
import { addImages, asNewSnapshot, nextHead } from './build-nodes.js';
import { CommitQueue } from './commit-queue.js';
import type { Fence } from './fence.js';
import { OwnedRoot, OwnedShard } from './owned-shard.js';
import type { AddressNode, RootTree } from './root-tree.js';
import type { ShardHost } from './shard-ownership.port.js';
import { FencedError, NO_CHANGES, OutcomeUnknownError } from './truth-store.port.js';
import type { Changeset, CommitOutcome } from './truth-store.port.js';

/** First and longest pause before a root is read anew again, milliseconds. */
const RELOAD_MIN_MS = 100;
const RELOAD_MAX_MS = 5_000;

/** Snapshot heads renewed in one transaction. */
const HEADS_PER_COMMIT = 256;

/** Versions that one incident may skip: far more than a lost day of edits. */
const MAX_JUMP = 2 ** 32;

interface Place {
  readonly root: OwnedRoot;
  readonly node: AddressNode;
}

/**
 * The shards that this node owns, in memory. A claim raises the fence, then loads, then reconciles
 * with JetStream, and only then serves; a shard is dropped at the first refusal by the fence.
 */
export class ShardRegistry implements ShardHost, PublicationHost {
  readonly #shards = new Map<number, OwnedShard>();

  constructor(
    private readonly context: EngineContext,
    private readonly publication: Publication,
    private readonly watchers: RolloutWatchers,
  ) {}

  async claimed(fence: Fence): Promise<void> {
    const { nodeId, incarnation } = this.context.ownership;
    const raised = await this.context.truth.raiseFence(fence, `${nodeId}/${incarnation}`);
    if (raised === 'superseded') {
      throw new Error(
        'PostgreSQL has seen a higher fencing token than this metadata store gives: the store is not the one that gave it. If the former one is lost, stop the node and run `pawl metadata adopt`',
      );
    }
    const shard = this.#newShard(fence);
    shard.loadedFrom = (await this.context.truth.readFences([fence.shard])).server;
    this.#shards.set(fence.shard, shard);
    try {
      await this.#load(shard);
      this.#assertHeld(shard);
      shard.serving = true;
      await this.#reconcile(shard);
      this.#assertHeld(shard);
    } catch (error) {
      this.#drop(shard);
      throw error;
    }
  }

  /**
   * Takes no new command of the shard. What waits to be committed may still be, since the fence decides,
   * and is waited for a while, so that an orderly hand-over refuses none of it.
   */
  async lost(fence: Fence): Promise<void> {
    const shard = this.#shards.get(fence.shard);
    if (shard?.token !== fence.token) return;
    this.#drop(shard);
    await this.#drained(shard);
    shard.commits.close(shard.token);
  }

  /** Compares everything with JetStream again: after a reconnect, or when a stream was made anew. */
  async reconcileAll(): Promise<void> {
    for (const shard of this.served()) {
      await this.#reconcile(shard).catch((error: unknown) => {
        if (error instanceof FencedError) this.refusedByFence(shard);
        else throw error;
      });
    }
  }

  /** The root to write under; `undefined` when this node does not serve its shard. */
  rootForWrite(name: string): OwnedRoot | undefined {
    return this.#servedShard(name)?.root(name);
  }

  /** Whether this node serves this root, and its memory of it is sure. */
  serves(rootName: string): boolean {
    const shard = this.#servedShard(rootName);
    return shard !== undefined && shard.roots.get(rootName)?.uncertain !== true;
  }

  /** The shard, where this node serves it under this very token. */
  servedUnder(target: { readonly shard: number; readonly token: bigint }): OwnedShard | undefined {
    const shard = this.#shards.get(target.shard);
    return shard?.serving === true && shard.token === target.token ? shard : undefined;
  }

  /** The served shard of this root. */
  shardOf(rootName: string): OwnedShard | undefined {
    return this.#servedShard(rootName);
  }

  tree(rootName: string): RootTree | undefined {
    return this.#servedShard(rootName)?.roots.get(rootName)?.tree;
  }

  /** A known address, in a shard that this node serves, whose memory is sure. */
  find(address: Address): Place | undefined {
    const place = this.findPublished(address);
    return place?.root.uncertain === true ? undefined : place;
  }

  /**
   * The same while the root is in doubt too: what was published there is known all the same, since
   * nothing is published before its commit is known.
   */
  findPublished(address: Address): Place | undefined {
    const root = this.#servedShard(address.root)?.roots.get(address.root);
    const node = root?.tree.get(address);
    return root === undefined || node === undefined ? undefined : { root, node };
  }

  served(): OwnedShard[] {
    return [...this.#shards.values()].filter((shard) => shard.serving);
  }

  /** Every shard that this node claimed, served or still being loaded. */
  all(): OwnedShard[] {
    return [...this.#shards.values()];
  }

  get owned(): number {
    return this.#shards.size;
  }

  /** Whether this is the shard as this node claimed it last, and it was not dropped. */
  holds(shard: OwnedShard): boolean {
    return this.#shards.get(shard.shard) === shard;
  }

  /** The fence is not ours: somebody else owns the shard now. */
  refusedByFence(shard: OwnedShard): void {
    if (!this.holds(shard)) return;
    this.context.log.warn('the fence is another’s: dropping the shard', { shard: shard.shard });
    this.loadAnew(shard);
  }

  /** Memory is not what the truth holds now: the shard is dropped, and claimed again if it is ours. */
  loadAnew(shard: OwnedShard): void {
    this.#drop(shard);
    shard.commits.close(shard.token);
    this.context.ownership.recheck(shard.shard);
  }

  fenced(root: OwnedRoot, error: unknown): boolean {
    if (!(error instanceof FencedError)) return false;
    this.refusedByFence(root.shard);
    return true;
  }

  /** Memory may differ from the truth: nothing of the root is used until it is read anew. */
  doubt(root: OwnedRoot): void {
    root.uncertain = true;
    const again = (delayMs: number): void => {
      const attempt = (): void => {
        if (!root.uncertain || !root.shard.serving) return;
        this.reload(root).catch((error: unknown) => {
          if (!this.fenced(root, error)) again(Math.min(delayMs * 2, RELOAD_MAX_MS));
        });
      };
      root.reloading = this.context.timer.after(delayMs, attempt);
    };
    root.reloading?.cancel();
    again(RELOAD_MIN_MS);
  }

  /** Reads a root anew after an unknown outcome, and queues what may not be published. */
  async reload(root: OwnedRoot): Promise<void> {
    await root.lock.run('exclusive', async () => {
      if (!root.uncertain) return;
      const images = await this.context.truth.loadRoot(root.shard, root.name);
      const fresh = new OwnedRoot(root.name, root.shard, this.context.settings.maxWaiters);
      const stale = await addImages(this.context, () => fresh.tree, images);
      root.tree = fresh.tree;
      await this.#renew(root, stale);
      root.uncertain = false;
      for (const node of root.tree.all()) {
        // The snapshot of an opened address may have been taken away to forget it.
        if (node.published === null || node.opened) this.publication.enqueue(root, node);
      }
    });
  }

  /**
   * Commits under the shard's fence, together with what waits for the same shard. Called under the
   * root's lock: when the outcome is not known, the root is doubted before anybody else gets the lock.
   */
  async commit(root: OwnedRoot, changeset: Changeset): Promise<CommitOutcome> {
    try {
      return await root.shard.commits.commit(changeset);
    } catch (error) {
      if (error instanceof OutcomeUnknownError) this.doubt(root);
      throw error;
    }
  }

  forgetIfEmpty(root: OwnedRoot): void {
    if (root.tree.size > 0 || !root.lock.idle || root.uncertain) return;
    if (root.shard.roots.get(root.name) === root) root.shard.roots.delete(root.name);
  }

  async continueAbove(root: OwnedRoot, node: AddressNode, held: Snapshot): Promise<void> {
    const { address, installation, generation, version, hash } = held;
    this.context.log.error('JetStream holds another snapshot than the truth', {
      address,
      held: { installation, generation, version, hash },
      truth: { version: node.head.version, hash: node.head.hash },
    });
    this.context.observer.incident('jetstream-ahead');
    if (generation > node.head.generation || version - node.head.version > MAX_JUMP) {
      throw new Error('what JetStream holds is too far ahead to continue above it');
    }
    await root.lock.run('exclusive', async () => {
      if (root.uncertain || root.tree.get(node.address) !== node) return;
      if (!isHigher(node.head, held)) {
        await this.#commitHeads(root, [{ node, above: held.version }]);
      }
      this.publication.enqueue(root, node);
    });
  }

  changed(_root: OwnedRoot, node: AddressNode): void {
    this.watchers.changed(node.address.text);
  }

  #newShard(fence: Fence): OwnedShard {
    const published = (root: string, address: AddressText) => {
      const tree = this.#shards.get(fence.shard)?.roots.get(root)?.tree;
      return tree?.getByText(address)?.published ?? null;
    };
    const { clock, timer, settings } = this.context;
    const commits = new CommitQueue({
      commit: (changesets) => this.#commitAll(shard, changesets),
      clock,
      timer,
      maxWaiting: settings.maxWaiters,
      maxWaitMs: settings.leaseTtlMs,
    });
    const consumers = new ShardConsumers(this.context, published);
    const shard: OwnedShard = new OwnedShard(fence, consumers, commits, settings.maxWaiters);
    return shard;
  }

  /** What is committed has also checked the fence; what it refuses drops the shard before any answer. */
  async #commitAll(shard: OwnedShard, changesets: readonly Changeset[]): Promise<CommitOutcome> {
    const { truth, clock, observer } = this.context;
    const startedMs = clock.monotonicMs();
    const [only, ...others] = changesets;
    const outcome =
      only !== undefined && others.length === 0
        ? await truth.commit(shard, only)
        : await truth.commitAll(shard, changesets);
    if (outcome.kind === 'fenced') this.refusedByFence(shard);
    if (outcome.kind !== 'committed') return outcome;
    shard.fenceConfirmed(startedMs);
    observer.committed(changesets.length);
    return outcome;
  }

  async #drained(shard: OwnedShard): Promise<void> {
    const { timer, settings } = this.context;
    await new Promise<void>((resolve) => {
      const deadline = timer.after(settings.leaseTtlMs / 3, resolve);
      void shard.commits.drained().then(() => {
        deadline.cancel();
        resolve();
      });
    });
  }

  async #load(shard: OwnedShard): Promise<void> {
    const startedMs = this.context.clock.monotonicMs();
    const images = await this.context.truth.loadShard(shard);
    shard.fenceConfirmed(startedMs);
    const stale = await addImages(this.context, (root) => shard.root(root).tree, images);
    const staleByRoot = new Map<OwnedRoot, AddressNode[]>();
    for (const node of stale) {
      const root = shard.root(node.address.root);
      const others = staleByRoot.get(root);
      if (others === undefined) staleByRoot.set(root, [node]);
      else others.push(node);
    }
    for (const [root, nodes] of staleByRoot) await this.#renew(root, nodes);
    await shard.consumers.restore(await this.context.status.load(shard));
  }

  #assertHeld(shard: OwnedShard): void {
    if (!this.holds(shard)) throw new FencedError(shard.shard, shard.token);
  }

  /** Commits new snapshot versions for nodes whose stored one is missing or not what recomputing gives. */
  async #renew(root: OwnedRoot, stale: readonly AddressNode[]): Promise<void> {
    if (stale.length === 0) return;
    const renewed = stale.map((node) => ({ node, above: node.head.version }));
    for (const { node } of renewed) node.published = null;
    for (let start = 0; start < renewed.length; start += HEADS_PER_COMMIT) {
      await this.#commitHeads(root, renewed.slice(start, start + HEADS_PER_COMMIT));
    }
  }

  async #commitHeads(
    root: OwnedRoot,
    raised: readonly { readonly node: AddressNode; readonly above: number }[],
  ): Promise<void> {
    const turns = new Turns(this.context.scheduler);
    const heads: { readonly node: AddressNode; readonly head: SnapshotHead }[] = [];
    for (const { node, above } of raised) {
      heads.push({ node, head: nextHead(this.context, node, above, root.tree) });
      await turns.spent(Math.min(node.head.variant.size, LIMITS.inlineBytes));
    }
    const changeset: Changeset = {
      ...NO_CHANGES,
      root: root.name,
      snapshots: heads.map(({ head }) => asNewSnapshot(head)),
      idempotency: null,
    };
    const outcome = await this.commit(root, changeset);
    if (outcome.kind === 'fenced') throw new FencedError(root.shard.shard, outcome.token);
    if (outcome.kind === 'conflict') {
      this.doubt(root);
      throw new Error(`the truth changed under its owner: ${outcome.what}`);
    }
    for (const { node, head } of heads) node.head = head;
  }

  async #reconcile(shard: OwnedShard): Promise<void> {
    const jobs = [...shard.roots.values()].flatMap((root) =>
      root.tree.all().map((node) => ({ root, node })),
    );
    await this.publication.reconcile(jobs);
  }

  #servedShard(rootName: string): OwnedShard | undefined {
    const shard = this.#shards.get(shardOf(rootName, this.context.installation.shards));
    return shard?.serving === true ? shard : undefined;
  }

  #drop(shard: OwnedShard): void {
    shard.serving = false;
    if (this.#shards.get(shard.shard) === shard) this.#shards.delete(shard.shard);
  }
}
