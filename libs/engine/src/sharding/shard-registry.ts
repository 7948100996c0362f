import { shardOf, isHigher } from '@pawl/contracts';
import type { Address, AddressText, Snapshot } from '@pawl/contracts';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import type { Publication, PublicationHost } from '../publication/publication.js';
import type { RolloutWatchers } from '../status/rollout-watchers.js';
import { HealthRoom } from '../status/health-room.js';
import { ShardConsumers } from '../status/shard-consumers.js';
import { BehindShards, TruthBehindError } from './behind-shards.js';
import { addImages } from './build-nodes.js';
import { CommitQueue } from './commit-queue.js';
import type { Fence, FencingToken } from './fence.js';
import { OwnedRoot, OwnedShard } from './owned-shard.js';
import { readPosition } from './read-position.js';
import { RefusedShards } from './refused-shards.js';
import type { AddressNode, RootTree } from './root-tree.js';
import type { ShardMark } from './shard-mark.js';
import { ShardMarks } from './shard-marks.js';
import type { ShardHost } from './shard-ownership.port.js';
import { SnapshotHeads } from './snapshot-heads.js';
import { FencedError, OutcomeUnknownError } from './truth-store.port.js';
import type { Changeset, CommitOutcome } from './truth-store.port.js';

/** First and longest pause before a root is read anew again, milliseconds. */
const RELOAD_MIN_MS = 100;
const RELOAD_MAX_MS = 5_000;

/** Versions or generations that are believed to be lost at once: far more than a day of edits. */
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
  /** Of shards that were dropped, what is still being committed. */
  readonly #draining = new Map<number, { token: FencingToken; drained: Promise<void> }>();
  readonly #marks = new ShardMarks();
  readonly #refused: RefusedShards;
  readonly #behind: BehindShards;
  readonly #heads: SnapshotHeads;
  readonly #healthRoom = new HealthRoom();

  constructor(
    private readonly context: EngineContext,
    private readonly publication: Publication,
    private readonly watchers: RolloutWatchers,
  ) {
    this.#refused = new RefusedShards(context);
    this.#behind = new BehindShards(context, (shard) => this.refusedByFence(shard));
    this.#heads = new SnapshotHeads(context, this);
  }

  async claimed(fence: Fence, remembered: ShardMark | null = null): Promise<void> {
    const { nodeId, incarnation } = this.context.ownership;
    const owner = `${nodeId}/${incarnation}`;
    const known = this.#marks.highest(fence.shard, remembered);
    // Given up in vain: the fence does not refuse what still waits for a session under this very token.
    const former = this.#draining.get(fence.shard);
    if (former?.token === fence.token) await former.drained;
    const raised = await this.context.truth.raiseFence(fence, owner, known);
    if (raised === 'superseded') {
      throw new Error(
        'PostgreSQL has seen a higher fencing token than this metadata store gives: the store is not the one that gave it. If the former one is lost, stop the node and run `pawl metadata adopt`',
      );
    }
    const shard = this.#newShard(fence);
    await readPosition(this.context, shard, known);
    this.#shards.set(fence.shard, shard);
    try {
      await this.#load(shard);
      this.#assertHeld(shard);
      shard.loaded = true;
      await this.#reconcileFirst(shard);
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
    const commands = shard.commits.close(shard.token);
    if (commands === 0) return;
    const why = 'a shard is given up while commands wait to be committed: its next owner is asked';
    this.context.log.warn(why, { shard: shard.shard, commands });
  }

  /** The highest generation under which this node knows that a shard was served; 0: it knows of none. */
  get highestGeneration(): number {
    return this.#marks.generation;
  }

  mark(fence: Fence): ShardMark | undefined {
    const shard = this.#shards.get(fence.shard);
    return shard !== undefined && shard.behind !== null ? undefined : this.#marks.under(fence);
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

  /** The fence is not ours, or PostgreSQL is not what memory was loaded from. */
  refusedByFence(shard: OwnedShard): void {
    if (!this.holds(shard)) return;
    this.#refused.add(shard.shard);
    this.loadAnew(shard);
  }

  /** Leaves nothing to be told later. */
  stop(): void {
    this.#refused.stop();
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
        if (!root.uncertain || !root.shard.loaded) return;
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
      await this.#heads.renew(root, stale);
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
    if (root.shard.behind !== null) throw new TruthBehindError(`of shard ${root.shard.shard}`);
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

  /**
   * Of this installation: PostgreSQL has lost what was published, and the shard is read-only from now
   * on. What is left of another one, whose stream was adopted, is only gone on above.
   */
  async ahead(root: OwnedRoot, node: AddressNode, held: Snapshot): Promise<void> {
    const { address, installation, generation, version, hash } = held;
    const { head } = node;
    const isForeign = installation !== installationText(this.context.installation);
    const isAbsurd =
      version - head.version > MAX_JUMP ||
      generation - head.generation > (isForeign ? 0 : MAX_JUMP);
    if (isForeign || isAbsurd) {
      this.context.log.error('JetStream holds another snapshot than the truth', {
        address,
        held: { installation, generation, version, hash },
        truth: { version: head.version, hash: head.hash },
      });
      this.context.observer.incident('jetstream-ahead');
    }
    if (isAbsurd) throw new Error('what JetStream holds is too far ahead to be believed');
    await root.lock.run('exclusive', async () => {
      if (root.uncertain || root.tree.get(node.address) !== node) return;
      const isAbove = isHigher(node.head, held);
      if (!isAbove && isForeign) await this.#heads.raise(root, [{ node, above: version }]);
      if (isForeign || (isAbove && !this.lacks(root, held))) this.publication.enqueue(root, node);
      else {
        const has = { generation: node.head.generation, version: node.head.version };
        await this.#behind.found(root.shard, { address, held: { generation, version }, has });
      }
    });
  }

  lacks(root: OwnedRoot, held: Snapshot): boolean {
    const isOurs = held.installation === installationText(this.context.installation);
    if (!isOurs || held.generation !== root.shard.generation || root.uncertain) return false;
    return held.inputs.some(({ address, definitionVersion, releaseVersion }) => {
      const node = root.tree.getByText(address as AddressText);
      const newest = node?.newest?.version ?? 0;
      return (
        (definitionVersion ?? 0) > newest || releaseVersion > (node?.release.releaseVersion ?? 0)
      );
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
    const consumers = new ShardConsumers(this.context, published, this.#healthRoom);
    const shard: OwnedShard = new OwnedShard(fence, consumers, commits, settings.maxWaiters);
    return shard;
  }

  /** What is committed has also checked the fence; what it refuses drops the shard before any answer. */
  async #commitAll(shard: OwnedShard, changesets: readonly Changeset[]): Promise<CommitOutcome> {
    const { truth, clock, observer } = this.context;
    const startedMs = clock.monotonicMs();
    const [only, ...others] = changesets;
    const known = { generation: shard.generation, commits: shard.committed };
    const outcome =
      only !== undefined && others.length === 0
        ? await truth.commit(shard, only, known)
        : await truth.commitAll(shard, changesets, known);
    if (outcome.kind === 'fenced') this.refusedByFence(shard);
    // Unless it is this owner that has just found it, memory is of another truth.
    if (outcome.kind === 'behind' && shard.behind === null) this.refusedByFence(shard);
    if (outcome.kind !== 'committed') return outcome;
    shard.fenceConfirmed(startedMs);
    shard.committed = outcome.commits;
    shard.countedUnder = shard.token;
    this.#marks.note(shard);
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

  /**
   * Serves once everything is compared with JetStream, or it did not answer for a third of the lease:
   * what was lost is found before anything is written over it, and NATS is not waited for.
   */
  async #reconcileFirst(shard: OwnedShard): Promise<void> {
    const serve = (): void => {
      if (!shard.loaded || shard.serving) return;
      shard.serving = true;
      this.#marks.note(shard);
    };
    const { timer, settings } = this.context;
    const patience = timer.after(settings.leaseTtlMs / 3, serve);
    this.#behind.tell(shard);
    try {
      await this.#reconcile(shard);
      serve();
    } finally {
      patience.cancel();
    }
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
    for (const [root, nodes] of staleByRoot) await this.#heads.renew(root, nodes);
    await shard.consumers.restore(await this.context.status.load(shard));
  }

  #assertHeld(shard: OwnedShard): void {
    if (!this.holds(shard)) throw new FencedError(shard.shard, shard.token);
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
    shard.loaded = false;
    shard.consumers.health.close();
    if (this.#shards.get(shard.shard) !== shard) return;
    this.#shards.delete(shard.shard);
    const former = { token: shard.token, drained: shard.commits.drained() };
    this.#draining.set(shard.shard, former);
    void former.drained.then(() => {
      if (this.#draining.get(shard.shard) === former) this.#draining.delete(shard.shard);
    });
  }
}
