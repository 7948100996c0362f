import { AdminClient, ProblemError } from '@pawl/admin-client';
import { shardOf, type ClusterView } from '@pawl/contracts';
import { wantedOwner } from '@pawl/metadata/rendezvous';
import { connect, type ConnectOptions, type Pawl } from '@pawl/sdk';
import { freePort } from '../../infra/dev/lib/ports.mjs';
import { spawnControlPlane, type TestControlPlane } from './control-plane.js';
import { createDatabase, type TestDatabase } from './database.js';
import { eventually } from './eventually.js';
import { startNats, type TestNats } from './nats.js';

export interface NodeClusterOptions {
  /** How many nodes; three unless told. */
  readonly nodes?: number;
  /** Further settings of every node. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the truth goes, dropped with the cluster; a database of the run's PostgreSQL otherwise. */
  readonly database?: TestDatabase;
  /** Ended with the cluster; one of its own otherwise. */
  readonly nats?: TestNats;
  /** Asked of each node before any starts: the ways to it, and its own to others, where gates stand. */
  readonly ways?: (node: PlannedNode) => Promise<NodeWays>;
}

export interface PlannedNode {
  readonly id: string;
  /** Where it listens for the other members. */
  readonly peerPort: number;
}

export interface NodeWays {
  /** Where the other members find it. */
  readonly peerPort: number;
  /** Settings of this node alone. */
  readonly env: Readonly<Record<string, string>>;
}

export interface OwnedShardView {
  readonly shard: number;
  readonly owner: string;
  readonly token: bigint;
}

/** What a node answers to `GET /v1/cluster` must come within this. */
const VIEW_DEADLINE_MS = 2_000;
const SETTLES_WITHIN_MS = 60_000;

/**
 * Control planes from the build, each in a process of its own, on one database and one nats-server:
 * members of one quorum, founded by all of them at once. Addresses of the quorum outlive restarts.
 */
export class NodeCluster {
  readonly #nodes: ReadonlyMap<string, TestControlPlane>;
  readonly #consumers: Pawl[] = [];

  private constructor(
    nodes: ReadonlyMap<string, TestControlPlane>,
    readonly database: TestDatabase,
    readonly nats: TestNats,
  ) {
    this.#nodes = nodes;
  }

  /** All nodes are ready when it resolves; which of them owns what is not settled yet. */
  static async start(options: NodeClusterOptions = {}): Promise<NodeCluster> {
    const database = options.database ?? (await createDatabase());
    const nats = options.nats ?? (await startNats());
    const ids = Array.from({ length: options.nodes ?? 3 }, (_, at) => `node-${at + 1}`);
    const ports = new Map<string, number>();
    for (const id of ids) ports.set(id, await freePort());
    const ways = new Map<string, NodeWays>();
    for (const [id, peerPort] of ports) {
      ways.set(id, (await options.ways?.({ id, peerPort })) ?? { peerPort, env: {} });
    }
    const peers = [...ways].map(([id, { peerPort }]) => `${id}=127.0.0.1:${peerPort}`).join(',');
    const spawned = await Promise.allSettled(
      ids.map((id) =>
        spawnControlPlane({
          postgresUrl: database.url,
          natsUrl: nats.url,
          env: {
            PAWL_NODE_ID: id,
            PAWL_PEERS: peers,
            PAWL_PEER_PORT: String(ports.get(id)),
            ...options.env,
            ...ways.get(id)?.env,
          },
        }),
      ),
    );
    const nodes = new Map<string, TestControlPlane>();
    for (const [at, one] of spawned.entries()) {
      if (one.status === 'fulfilled') nodes.set(ids[at] ?? '', one.value);
    }
    const cluster = new NodeCluster(nodes, database, nats);
    const failed = spawned.find((one) => one.status === 'rejected');
    if (failed === undefined) return cluster;
    await cluster.stop();
    throw failed.reason;
  }

  get ids(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  /** To kill, pause, resume, shut down and start it again. */
  node(id: string): TestControlPlane {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  admin(id: string, actor?: string): AdminClient {
    return new AdminClient({ url: this.node(id).url, ...(actor === undefined ? {} : { actor }) });
  }

  /** A consumer in this process, closed with the cluster. */
  async connectSdk(options: Partial<ConnectOptions> = {}): Promise<Pawl> {
    const pawl = await connect({ servers: this.nats.url, ...options });
    this.#consumers.push(pawl);
    return pawl;
  }

  /** Members, quorum and shards as one node sees them; rejects when it does not answer in time. */
  async view(id: string): Promise<ClusterView> {
    const answer = await fetch(`${this.node(id).url}/v1/cluster`, {
      signal: AbortSignal.timeout(VIEW_DEADLINE_MS),
    });
    if (!answer.ok) throw new Error(`${id} answers ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as ClusterView;
  }

  /** Every shard with the one of `ids` that serves it; rejects while any is not served by one. */
  async served(ids: readonly string[] = this.ids): Promise<readonly OwnedShardView[]> {
    const views = await Promise.all(ids.map((id) => this.view(id)));
    const shards = new Map<number, OwnedShardView>();
    for (const [at, view] of views.entries()) {
      for (const { shard, owner, fencingToken, serving } of view.shards) {
        if (!serving || owner === null || owner !== ids[at] || fencingToken === null) continue;
        shards.set(shard, { shard, owner, token: BigInt(fencingToken) });
      }
    }
    const total = views[0]?.shards.length ?? 0;
    if (total === 0 || shards.size < total) {
      throw new Error(`${ids.join(', ')} serve ${shards.size} of ${total} shards`);
    }
    return [...shards.values()].sort((left, right) => left.shard - right.shard);
  }

  /** Once all shards are served, each by whom it is to stay with as long as `ids` are the members. */
  settled(ids: readonly string[] = this.ids): Promise<readonly OwnedShardView[]> {
    return eventually(async () => {
      const shards = await this.served(ids);
      const moving = shards.filter(({ shard, owner }) => owner !== wantedOwner(shard, ids));
      if (moving.length > 0) throw new Error(`${moving.length} shards are to move yet`);
      return shards;
    }, SETTLES_WITHIN_MS);
  }

  /** Which of `ids` serves an address's shard now; rejects when none does. */
  async ownerOf(address: string, ids: readonly string[] = this.ids): Promise<string> {
    const [root = ''] = address.split('/');
    for (const id of ids) {
      const { shards } = await this.view(id);
      const found = shards.find(({ shard }) => shard === shardOf(root, shards.length));
      if (found?.owner === id && found.serving) return id;
    }
    throw new Error(`none of ${ids.join(', ')} serves ${address}`);
  }

  /** Asks an address's owner, and again while its shard moves: who does not own it does nothing. */
  async atOwner<T>(
    address: string,
    ask: (admin: AdminClient) => Promise<T>,
    ids: readonly string[] = this.ids,
  ): Promise<T> {
    const answer = await eventually(async () => {
      const admin = this.admin(await this.ownerOf(address, ids));
      try {
        return { value: await ask(admin) };
      } catch (error) {
        if (isNoOwner(error)) throw error;
        return { error };
      }
    }, SETTLES_WITHIN_MS);
    if ('error' in answer) throw answer.error;
    return answer.value;
  }

  /** Roots that shards of `id` are the owner of, to be written to: `count` of them. */
  rootsOf(id: string, shards: readonly OwnedShardView[], count: number): readonly string[] {
    const own = new Set(shards.filter(({ owner }) => owner === id).map(({ shard }) => shard));
    const roots: string[] = [];
    for (let n = 1; roots.length < count; n += 1) {
      if (own.has(shardOf(`root-${n}`, shards.length))) roots.push(`root-${n}`);
    }
    return roots;
  }

  /** What the nodes logged since they started last, for a test that failed. */
  logs(): string {
    return [...this.#nodes].map(([id, node]) => `--- ${id}\n${node.log()}`).join('\n');
  }

  /** Ends consumers and nodes, then what they need, and removes everything. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#consumers.map((pawl) => pawl.close()));
    await Promise.allSettled([...this.#nodes.values()].map((node) => node.stop()));
    await this.nats.stop();
    await this.database.drop();
  }
}

function isNoOwner(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.code === 'no-owner';
}
