import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { shardOf } from '@pawl/contracts';
import { freePort } from '../../../../infra/dev/lib/ports.mjs';
import { REPOSITORY } from '../../../../infra/dev/lib/repository.mjs';
import { eventually } from '../../../support/eventually.js';
import { NodeCluster, type OwnedShardView } from '../../../support/node-cluster.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../support/temporary-folder.js';
import { pawlQuorum } from '../../cluster/pawl-quorum.js';
import { Links } from '../../network/links.js';
import { NodeGate } from '../../network/node-gate.js';
import type { LostStretch } from '../checks/forgive.js';
import { installAudit } from './audit.js';
import { Broker } from './broker.js';
import { ClientGate } from './client-gate.js';
import { Fleet } from './fleet.js';
import { TruthServer } from './truth-server.js';

export interface WorldOptions {
  /** Path of nats-server. */
  readonly natsServer: string;
  readonly scopes: number;
  readonly consumers: number;
  /** Processes that the consumers are in. */
  readonly fleetProcesses: number;
  readonly shards: number;
}

/** Names of the services in {@link World.links}; nodes have their ids. */
export const POSTGRES = 'postgres';
export const NATS = 'nats';
export const LEASE_TTL_MS = 3_000;

const NODES = ['node-1', 'node-2', 'node-3'];
const WHOLE_WITHIN_MS = 90_000;
const ANSWER_DEADLINE_MS = 2_000;

interface Gates {
  readonly links: Links;
  readonly postgres: Map<string, ClientGate>;
  readonly nats: Map<string, ClientGate>;
  readonly peers: NodeGate[];
}

/**
 * Three control planes, a PostgreSQL and a nats-server of their own, and gates of ours on every way
 * between them and from each process of consumers to NATS.
 */
export class World {
  #fleet: Fleet | null = null;
  /** When older copies were restored. */
  readonly lostStretches: LostStretch[] = [];

  readonly truth: TruthServer;
  readonly broker: Broker;
  readonly cluster: NodeCluster;

  private constructor(
    readonly options: WorldOptions,
    private readonly gates: Gates,
    private readonly folder: TemporaryFolder,
    running: Pick<World, 'truth' | 'broker' | 'cluster'>,
  ) {
    ({ truth: this.truth, broker: this.broker, cluster: this.cluster } = running);
  }

  /** All nodes serve and own shards; nothing is written yet, and no consumer started. */
  static async start(options: WorldOptions): Promise<World> {
    const folder = await makeTemporaryFolder('chaos-world');
    const [truth, broker] = await Promise.all([
      TruthServer.start(),
      Broker.start(options.natsServer),
    ]);
    const gates: Gates = { links: new Links(), postgres: new Map(), nats: new Map(), peers: [] };
    const cluster = await NodeCluster.start({
      database: truth,
      nats: broker,
      env: {
        PAWL_LEASE_TTL_MS: String(LEASE_TTL_MS),
        PAWL_SHARDS: String(options.shards),
        PAWL_LOG_LEVEL: 'info',
      },
      ways: ({ id, peerPort }) => openGates(gates, { id, peerPort, truth, broker }),
    });
    const world = new World(options, gates, folder, { truth, broker, cluster });
    try {
      await cluster.settled();
      await installAudit(truth.url);
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  get ids(): readonly string[] {
    return NODES;
  }

  get links(): Links {
    return this.gates.links;
  }

  /** The gate between a node and a service. */
  gate(id: string, service: typeof POSTGRES | typeof NATS): ClientGate {
    const gate = (service === POSTGRES ? this.gates.postgres : this.gates.nats).get(id);
    if (gate === undefined) throw new Error(`no gate from ${id} to ${service}`);
    return gate;
  }

  /** Each of a root of its own, so that they lie in many shards. */
  get scopes(): readonly string[] {
    return Array.from({ length: this.options.scopes }, (_, at) => `root-${at + 1}/app`);
  }

  shardOf(scope: string): number {
    return shardOf(scope.split('/')[0] ?? '', this.options.shards);
  }

  /** Once every scope has a snapshot. */
  async startFleet(): Promise<void> {
    const { consumers, fleetProcesses: processes } = this.options;
    if (consumers === 0) return;
    this.#fleet = await Fleet.start({
      natsPort: this.broker.port,
      nats: NATS,
      links: this.links,
      scopes: this.scopes,
      consumers,
      processes,
      folder: join(this.folder.path, 'fleet'),
    });
  }

  get fleet(): Fleet | null {
    return this.#fleet;
  }

  /** Owners as they are now, by whatever node answers; rejects when none does. */
  async owners(): Promise<readonly OwnedShardView[]> {
    const view = await Promise.any(NODES.map((id) => this.cluster.view(id)));
    return view.shards.flatMap(({ shard, owner, fencingToken }) =>
      owner === null || fencingToken === null
        ? []
        : [{ shard, owner, token: BigInt(fencingToken) }],
    );
  }

  /** Heals every link and waits until all nodes are ready and every shard is served. */
  async whole(): Promise<void> {
    this.links.heal();
    await eventually(async () => {
      for (const id of NODES) {
        const node = this.cluster.node(id);
        const signal = AbortSignal.timeout(ANSWER_DEADLINE_MS);
        const answer = await fetch(`${node.url}/readyz`, { signal }).catch((cause: unknown) => {
          const last = node.log().trimEnd().split('\n').at(-1);
          throw new Error(`${id} does not answer; it logged last: ${last}`, { cause });
        });
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${id} is not ready: ${text}`);
      }
      await this.cluster.served();
    }, WHOLE_WITHIN_MS);
  }

  /** Logs of everybody, what consumers wrote down and `files`, in a folder that stays; its path. */
  async keep(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const kept = join(REPOSITORY, '.pawl-test', 'chaos', name);
    await rm(kept, { recursive: true, force: true });
    await mkdir(kept, { recursive: true });
    for (const id of NODES) {
      const logs = join(this.cluster.node(id).dataFolder, 'logs');
      await cp(logs, join(kept, id), { recursive: true });
    }
    for (const path of [this.truth.logFile, this.broker.logFile, ...(this.#fleet?.files ?? [])]) {
      await cp(path, join(kept, path.split('/').at(-1) ?? 'log'));
    }
    for (const [file, text] of Object.entries(files)) await writeFile(join(kept, file), text);
    return kept;
  }

  async stop(): Promise<void> {
    this.truth.resume();
    this.links.heal();
    await this.#fleet?.stop();
    await this.cluster.stop();
    const { postgres, nats, peers } = this.gates;
    for (const gate of [...postgres.values(), ...nats.values(), ...peers]) await gate.close();
    await this.folder.remove();
  }
}

interface GateWish {
  readonly id: string;
  readonly peerPort: number;
  readonly truth: TruthServer;
  readonly broker: Broker;
}

async function openGates(gates: Gates, { id, peerPort, truth, broker }: GateWish) {
  const { links } = gates;
  const client = { client: id, links };
  const postgres = await ClientGate.open({ ...client, service: POSTGRES, behindPort: truth.port });
  const nats = await ClientGate.open({ ...client, service: NATS, behindPort: broker.port });
  gates.postgres.set(id, postgres);
  gates.nats.set(id, nats);
  const quorum = pawlQuorum();
  const peers = await NodeGate.open({
    node: id,
    port: await freePort(),
    behindPort: peerPort,
    links,
    identify: (first) => quorum.identify(first, NODES),
    nameOf: (caller) => caller,
  });
  gates.peers.push(peers);
  const url = new URL(truth.url);
  url.port = String(postgres.port);
  return {
    peerPort: peers.port,
    env: { PAWL_POSTGRES_URL: url.href, PAWL_NATS_URL: `nats://127.0.0.1:${nats.port}` },
  };
}
