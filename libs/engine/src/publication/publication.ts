import { canonicalize, LIMITS, isHigher } from '@pawl/contracts';
import type { JsonObject, Snapshot } from '@pawl/contracts';
import { buildSnapshot } from '@pawl/domain';
import type { TimerHandle } from '@pawl/kernel';
import { installationText } from '../engine-context.js';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import { PublishedMarks } from './published-marks.js';
import { FencedError } from '../sharding/truth-store.port.js';
import { DistributionUnavailableError } from './snapshot-publisher.port.js';

/** First and longest pause before what failed is published again, milliseconds. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

interface Job {
  readonly root: OwnedRoot;
  readonly node: AddressNode;
}

/** What the publication needs of whoever owns the shards. */
export interface PublicationHost {
  /** JetStream holds something newer or different, or that is made of what is not known here. */
  ahead(root: OwnedRoot, node: AddressNode, held: Snapshot): Promise<void>;
  /** Whether what JetStream holds is made of versions that this owner does not know. */
  lacks(root: OwnedRoot, held: Snapshot): boolean;
  fenced(root: OwnedRoot, error: unknown): boolean;
  /** The rollout of this node reads differently now. */
  changed(root: OwnedRoot, node: AddressNode): void;
}

/**
 * Publishes committed snapshots: content, then snapshot, then push. At most one publication per
 * address at a time, always of what is newest then; what fails stays queued until it succeeds or the
 * shard is lost. The queue holds each address once, so the number of known addresses bounds it.
 */
export class Publication {
  readonly #queue = new Map<AddressNode, Job>();
  readonly #running = new Set<AddressNode>();
  readonly #marks: PublishedMarks;
  #host: PublicationHost | undefined;
  /** What failed and waits for its next attempt. */
  readonly #waiting = new Map<AddressNode, TimerHandle>();
  /** The next pause of what failed last time. */
  readonly #delays = new WeakMap<AddressNode, number>();
  #stopped = false;
  /** The canonical text that was asked for last. */
  #lastText: Promise<unknown> = Promise.resolve();

  constructor(private readonly context: EngineContext) {
    this.#marks = new PublishedMarks(context);
  }

  start(host: PublicationHost): void {
    this.#host = host;
  }

  /** Addresses whose newest snapshot is not known to be in JetStream yet. */
  get pending(): number {
    return this.#queue.size + this.#running.size + this.#waiting.size;
  }

  /** Whether the newest snapshot of this address may still be on its way to JetStream. */
  isPending(node: AddressNode): boolean {
    return this.#queue.has(node) || this.#running.has(node) || this.#waiting.has(node);
  }

  /** Queues an address to be published; not while PostgreSQL lacks something of its shard. */
  enqueue(root: OwnedRoot, node: AddressNode): void {
    if (this.#stopped || this.#waiting.has(node) || root.shard.behind !== null) return;
    this.#queue.set(node, { root, node });
    this.#pump();
  }

  /**
   * Compares what JetStream holds of these addresses with memory, and queues what it lacks and what
   * could not be compared: publishing compares too. Rejects only when the fence refuses.
   */
  async reconcile(jobs: readonly Job[]): Promise<void> {
    const waiting = [...jobs];
    let reachable = true;
    const worker = async (): Promise<void> => {
      for (let job = waiting.pop(); job !== undefined; job = waiting.pop()) {
        if (this.#stopped || !isCurrent(job)) continue;
        try {
          if (reachable) await this.#compare(job);
          else this.enqueue(job.root, job.node);
        } catch (error) {
          if (error instanceof FencedError) throw error;
          reachable = false;
          this.enqueue(job.root, job.node);
        }
      }
    };
    await Promise.all(Array.from({ length: this.context.settings.publishConcurrency }, worker));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    await this.#marks.stop();
  }

  #pump(): void {
    if (this.#stopped) return;
    for (const job of this.#queue.values()) {
      if (this.#running.size >= this.context.settings.publishConcurrency) return;
      if (this.#running.has(job.node)) continue;
      this.#queue.delete(job.node);
      this.#running.add(job.node);
      void this.#run(job);
    }
  }

  async #run(job: Job): Promise<void> {
    let failure: unknown;
    try {
      if (isCurrent(job) && job.root.shard.behind === null) await this.#publish(job);
      this.#delays.delete(job.node);
    } catch (error) {
      failure = error;
    } finally {
      this.#running.delete(job.node);
    }
    if (failure !== undefined && this.#host?.fenced(job.root, failure) !== true) {
      this.#again(job, failure);
    }
    this.#pump();
  }

  async #publish({ root, node }: Job): Promise<void> {
    const { head, contents } = node;
    await this.#storeContent({ root, node });
    const publishedAt = this.context.formatTime(this.context.clock.wallMs());
    const snapshot = buildSnapshot({
      installation: installationText(this.context.installation),
      head,
      token: root.shard.token,
      publishedAt,
      documentOf: (cohort) => contents.get(cohort)?.effective,
    });
    const outcome = await this.context.publisher.publish(node.address, snapshot);
    if (outcome.kind === 'conflict') {
      await this.#host?.ahead(root, node, outcome.held);
      return;
    }
    const isNews = outcome.kind === 'stored' || node.published?.hash !== head.hash;
    if (isNews) this.context.publisher.push(node.address, snapshot);
    this.#published({ root, node }, snapshot);
  }

  async #storeContent(
    { root, node }: Job,
    how: 'storeContent' | 'keepContent' = 'storeContent',
  ): Promise<void> {
    const large = new Map<string, JsonObject>();
    for (const { effective, variant } of node.contents.values()) {
      if (effective === null || variant.size <= LIMITS.inlineBytes) continue;
      large.set(variant.hash, effective);
    }
    for (const [hash, document] of large) {
      const text = await this.#canonicalText(document);
      await this.context.publisher[how](root.name, hash, text);
    }
  }

  /** One after the other, each in a turn of its own, however many are published at a time. */
  #canonicalText(document: JsonObject): Promise<string> {
    const text = this.#lastText
      .then(() => this.context.scheduler.yield())
      .then(() => canonicalize(document));
    this.#lastText = text.catch(() => undefined);
    return text;
  }

  #published({ root, node }: Job, snapshot: Snapshot): void {
    const { generation, version, hash, publishedAt, releases } = snapshot;
    const before = node.published;
    if (before !== null && isHigher(before, snapshot)) return;
    const same = before?.hash === hash;
    node.published = { generation, version, hash, at: same ? before.at : publishedAt, releases };
    this.#marks.add(root.shard, {
      address: node.address.text,
      version,
      publishedAt: node.published.at,
    });
    this.context.observer.published(node.address.text, version);
    this.#host?.changed(root, node);
  }

  async #compare(job: Job): Promise<void> {
    const { root, node } = job;
    const held = await this.context.publisher.read(node.address);
    const isOlder = held === undefined || isHigher(node.head, held);
    if (held === undefined || (isOlder && this.#host?.lacks(root, held) !== true)) {
      this.enqueue(root, node);
    } else if (held.hash === node.head.hash && !isHigher(held, node.head)) {
      await this.#storeContent(job, 'keepContent');
      this.#published(job, held);
    } else {
      await this.#host?.ahead(root, node, held);
    }
  }

  #again(job: Job, error: unknown): void {
    if (this.#stopped || !isCurrent(job)) return;
    const delayMs = this.#delays.get(job.node) ?? RETRY_MIN_MS;
    this.#delays.set(job.node, Math.min(delayMs * 2, RETRY_MAX_MS));
    const level = error instanceof DistributionUnavailableError ? 'warn' : 'error';
    this.context.log[level]('publication failed; will be tried again', {
      address: job.node.address.text,
      error: String(error),
      pending: this.pending,
      inMs: delayMs,
    });
    this.#queue.delete(job.node);
    const timer = this.context.timer.after(delayMs, () => {
      this.#waiting.delete(job.node);
      this.enqueue(job.root, job.node);
    });
    this.#waiting.set(job.node, timer);
  }
}

/** Whether the job's node is still what its owner serves. */
function isCurrent({ root, node }: Job): boolean {
  return root.shard.loaded && root.tree.get(node.address) === node;
}
