import { ManualTime } from '@pawl/kernel';
import type { Fence, ShardHost, ShardMark, ShardOwnership } from '@pawl/engine';
import { SimulatedFolder } from '@pawl/raft/testing';
import { expect } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { MetadataStore, RangeRequest, TxnResult } from '../metadata-store.port.js';
import { openMetadataOn } from '../quorum/open-metadata.js';
import type { QuorumNode } from '../quorum/quorum-node.js';
import { textToBytes } from '../text.js';
import { claimKey, memberKey } from './ownership-keys.js';
import { createShardOwnership } from './shard-ownership.js';

export const SHARDS = 64;
export const TTL_MS = 5000;
export const EPOCH_1 = 2n ** 48n;

/**
 * Keeps account of what it is told, and that it is told one thing at a time per shard. Raises fences
 * that it shares with the other hosts of its cluster, and sees that no two hosts serve a shard at
 * once, but one that has been cut off and does not know yet.
 */
export class FakeHost implements ShardHost {
  readonly serving = new Map<number, bigint>();
  readonly calls: string[] = [];
  /** How far shards have come. */
  readonly marks = new Map<number, ShardMark>();
  /** What it was told that is remembered, by shard. */
  readonly remembered = new Map<number, ShardMark | null | undefined>();
  /** The store does not answer it: it may serve what others have taken over. */
  cutOff = (): boolean => false;
  /** Called whenever what it serves has changed. */
  changed = (): void => undefined;
  readonly #busy = new Set<number>();
  /** Called before a shard is served; what it throws is why it cannot be. */
  loading: (fence: Fence) => Promise<void> | void = () => undefined;
  /** Called before a shard is put away. */
  leaving: (fence: Fence) => Promise<void> | void = () => undefined;

  constructor(
    private readonly fences = new Map<number, bigint>(),
    private readonly hosts = new Set<FakeHost>(),
  ) {
    hosts.add(this);
  }

  mark = ({ shard }: Fence): ShardMark | undefined => this.marks.get(shard);

  async claimed(fence: Fence, remembered?: ShardMark | null): Promise<void> {
    this.remembered.set(fence.shard, remembered);
    await this.#oneAtATime(fence, async () => {
      const { shard, token } = fence;
      expect(this.serving.has(shard)).toBe(false);
      if ((this.fences.get(shard) ?? 0n) > token) throw new Error('the fence is higher');
      this.fences.set(shard, token);
      await this.loading(fence);
      if (this.fences.get(shard) !== token) throw new Error('the fence was raised');
      const others = [...this.hosts].filter((host) => host !== this && host.serving.has(shard));
      expect(others.every((host) => host.cutOff())).toBe(true);
      this.serving.set(shard, token);
      this.changed();
    });
  }

  async lost(fence: Fence): Promise<void> {
    await this.#oneAtATime(fence, async () => {
      expect(this.serving.get(fence.shard)).toBe(fence.token);
      await this.leaving(fence);
      this.serving.delete(fence.shard);
      this.changed();
    });
    this.calls.push(`lost ${fence.shard}`);
  }

  async #oneAtATime({ shard }: Fence, work: () => Promise<void>): Promise<void> {
    expect(this.#busy.has(shard)).toBe(false);
    this.#busy.add(shard);
    await Promise.resolve();
    await work().finally(() => this.#busy.delete(shard));
  }
}

/** A store that can be made not to answer, or to lose its answers. */
export class UnreliableStore implements MetadataStore {
  down = false;
  loseAnswers = 0;
  /** Called before each range is asked for. */
  beforeRange: (request: RangeRequest) => Promise<void> | void = () => undefined;

  constructor(readonly inner: MetadataStore) {}

  async txn(txn: Parameters<MetadataStore['txn']>[0]): Promise<TxnResult> {
    this.#check();
    const result = await this.inner.txn(txn);
    if (this.loseAnswers > 0) {
      this.loseAnswers -= 1;
      throw new MetadataUnavailableError('the answer was lost', 'unknown');
    }
    return result;
  }

  range = (request: RangeRequest) =>
    this.#ask(async () => {
      await this.beforeRange(request);
      return this.inner.range(request);
    });
  watch = (request: Parameters<MetadataStore['watch']>[0]) => this.inner.watch(request);
  grantLease = (ttlMs: number, id?: bigint) => this.#ask(() => this.inner.grantLease(ttlMs, id));
  keepAlive = (id: bigint) => this.#ask(() => this.inner.keepAlive(id));
  revokeLease = (id: bigint) => this.#ask(() => this.inner.revokeLease(id));
  compact = (revision: number) => this.#ask(() => this.inner.compact(revision));
  status = () => this.#ask(() => this.inner.status());

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    this.#check();
    return call();
  }

  #check(): void {
    if (this.down) throw new MetadataUnavailableError('no answer', 'no');
  }
}

export interface Node {
  readonly ownership: ShardOwnership;
  readonly host: FakeHost;
  readonly store: UnreliableStore;
}

export class Cluster {
  readonly time = new ManualTime();
  readonly folder = SimulatedFolder.empty();
  store!: QuorumNode;
  readonly hosts = new Set<FakeHost>();
  /** Of all nodes. */
  readonly warnings: string[] = [];
  readonly #fences = new Map<number, bigint>();
  #incarnations = 0;

  static async open(): Promise<Cluster> {
    const cluster = new Cluster();
    const { time, folder } = cluster;
    cluster.store = await openMetadataOn(folder, { nodeId: 'm', clock: time, timer: time });
    return cluster;
  }

  node(nodeId = 'node-1', folder = `folder of ${nodeId}`): Node {
    const store = new UnreliableStore(this.store);
    const silent = (): void => undefined;
    const warn = (message: string): void => void this.warnings.push(message);
    const ownership = createShardOwnership({
      store,
      nodeId,
      incarnation: `incarnation-${(this.#incarnations += 1)}`,
      folder,
      shards: SHARDS,
      leaseTtlMs: TTL_MS,
      clock: this.time,
      timer: this.time,
      log: { debug: silent, info: silent, warn, error: warn },
    });
    const host = new FakeHost(this.#fences, this.hosts);
    host.cutOff = () => store.down;
    return { ownership, host, store };
  }

  async started(nodeId?: string, folder?: string): Promise<Node> {
    const node = this.node(nodeId, folder);
    await node.ownership.start(node.host);
    return node;
  }

  /** Moves time in steps, letting everything happen that follows from each. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.time.advance(Math.min(stepMs, left));
      await settle(40);
    }
  }

  /** Starts nodes one after the other, and lets them share the shards. */
  async shared<T extends readonly string[]>(...ids: T): Promise<{ [key in keyof T]: Node }> {
    const nodes: Node[] = [];
    for (const id of ids) nodes.push(await this.started(id));
    await this.pass(2 * TTL_MS, 250);
    for (const { host } of nodes) {
      expect(host.serving.size).toBeGreaterThan(0);
      host.calls.length = 0;
    }
    return nodes as { [key in keyof T]: Node };
  }

  /** Shards that no host serves. */
  unserved(): number {
    return this.unservedShards().length;
  }

  unservedShards(): readonly number[] {
    const served = new Set([...this.hosts].flatMap(({ serving }) => [...serving.keys()]));
    return Array.from({ length: SHARDS }, (_, shard) => shard).filter(
      (shard) => !served.has(shard),
    );
  }

  /** Takes a key away as an operator could. */
  async remove(key: Uint8Array): Promise<void> {
    await this.store.txn({ compare: [], success: [{ kind: 'delete', key }], failure: [] });
    await settle();
  }

  async leaseOf(nodeId: string): Promise<bigint> {
    const found = await this.store.range({ key: memberKey(nodeId) });
    const lease = found.ok ? found.kvs[0]?.lease : undefined;
    if (lease === undefined) throw new Error(`${nodeId} is no member`);
    return lease;
  }
}

export async function settle(turns = 200): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Shards that a node serves. */
export function owned({ host }: Node): number[] {
  return [...host.serving.keys()].sort((a, b) => a - b);
}

export function tokens(node: Node): bigint[] {
  return [...node.host.serving].sort(([a], [b]) => a - b).map(([, token]) => token);
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** Takes a shard's claim away and puts another node's in its place, before anybody hears of it. */
export async function takeOver({ store }: Cluster, shard: number): Promise<void> {
  const key = claimKey(shard);
  const value = textToBytes('{"node":"node-9","incarnation":"other","epoch":"1"}');
  await Promise.all([
    store.txn({ compare: [], success: [{ kind: 'delete', key }], failure: [] }),
    store.txn({ compare: [], success: [{ kind: 'put', key, value, lease: 0n }], failure: [] }),
  ]);
}
