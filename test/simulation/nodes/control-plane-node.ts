import { subjectsOf } from '@pawl/contracts';
import type { Ack, Hello } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import {
  createEngine,
  DEFAULT_ENGINE_SETTINGS,
  installationText,
  routedEngine,
} from '@pawl/engine';
import type {
  ConfigEngine,
  ConsumerRef,
  Engine,
  EngineObserver,
  Installation,
  ShardOwnership,
} from '@pawl/engine';
import { watchDependency } from '../../../apps/control-plane/src/health/watch-dependency.js';
import { hearingHost } from '../../../apps/control-plane/src/routing/hearing-host.js';
import { ownerCommands } from '../../../apps/control-plane/src/routing/owner-commands.js';
import { recordInstallation } from '../../../libs/metadata/src/ownership/record-installation.js';
import { createShardOwnership } from '../../../libs/metadata/src/ownership/shard-ownership.js';
import type { QuorumProcess } from '../../../libs/metadata/src/testing/simulated-quorum.js';
import { SimulatedCalls, SimulatedCommandServer } from './simulated-calls.js';
import type { NatsConnection, NatsMessage, SimulatedNats } from './simulated-nats.js';
import type { SimulatedPostgres } from './simulated-postgres.js';
import { SimulatedPublisher } from './simulated-publisher.js';
import type { PublicationWitness } from './simulated-publisher.js';
import { SimulatedTruth } from './simulated-truth.js';
import { smallValidator } from './small-validator.js';
import { TruthSessions } from './truth-sessions.js';
import type { Wire } from './wire.js';

export const LEASE_TTL_MS = 3_000;
const ROUTE_MS = 9_000;
const MAX_ROUTED = 1_000;
const HELLO_MS = 1_000;
const NATS_ROUND_TRIP_MS = 1_000;

export interface NodeOptions {
  readonly process: QuorumProcess;
  readonly installation: Installation;
  /** Random. */
  readonly incarnation: string;
  readonly newId: () => string;
  readonly wire: Wire;
  readonly postgres: SimulatedPostgres;
  readonly nats: SimulatedNats;
  readonly witness: PublicationWitness;
  readonly observer: EngineObserver;
  readonly log: (level: string, message: string, fields?: object) => void;
}

/** One process of the control plane: everything that `compose` wires, over simulated servers. */
export class ControlPlaneNode {
  readonly id: string;
  readonly process: QuorumProcess;
  readonly sessions: TruthSessions;
  readonly connection: NatsConnection;
  readonly engine: Engine;
  readonly ownership: ShardOwnership;
  /** What its REST API calls. */
  readonly use: ConfigEngine;
  readonly truth: SimulatedTruth;
  readonly #server: SimulatedCommandServer;
  #started = false;
  #leaving = false;

  constructor(private readonly options: NodeOptions) {
    const { process, installation, wire, postgres, nats } = options;
    this.id = process.id;
    this.process = process;
    this.sessions = new TruthSessions(postgres, wire, process.time);
    this.truth = new SimulatedTruth(this.sessions, installation);
    this.connection = nats.connect(process.time);
    this.ownership = createShardOwnership({
      store: process.node,
      nodeId: process.id,
      incarnation: options.incarnation,
      folder: `folder of ${process.id}`,
      shards: installation.shards,
      leaseTtlMs: LEASE_TTL_MS,
      clock: process.time,
      timer: process.time,
      log: this.#log(),
    });
    this.engine = this.#createEngine();
    const subjects = subjectsOf(installation.name);
    const { connection, engine, ownership } = this;
    const commands = ownerCommands(engine, {
      shards: installation.shards,
      onMisdirected: (address, { shard }) => {
        throw new Error(`${address} was asked of the owner of shard ${shard}`);
      },
    });
    this.#server = new SimulatedCommandServer(connection, subjects, commands);
    this.use = routedEngine({
      local: engine.use,
      serves: engine.serves,
      ownership,
      calls: new SimulatedCalls(connection, subjects),
      shards: installation.shards,
      clock: process.time,
      timer: process.time,
      deadlineMs: ROUTE_MS,
      maxRouted: MAX_ROUTED,
      newId: options.newId,
    });
    this.#hearConsumers(subjects.prefix);
  }

  /** It has claimed what it could. */
  get started(): boolean {
    return this.#started;
  }

  get leaving(): boolean {
    return this.#leaving;
  }

  /** Rejects when the quorum or PostgreSQL does not answer: the process then ends. */
  async start(): Promise<void> {
    const { process, installation } = this.options;
    await this.truth.installation();
    await recordInstallation(process.node, installationText(installation));
    const { connection, ownership, truth } = this;
    await ownership.start(hearingHost(this.engine.host, this.#server));
    const watched = { leaseTtlMs: LEASE_TTL_MS, timer: process.time };
    watchDependency({
      ...watched,
      name: 'PostgreSQL',
      answers: () => truth.healthy(),
      tell: (problem) => ownership.setTruth(problem),
    });
    watchDependency({
      ...watched,
      name: 'NATS',
      answers: () => connection.call(() => true, NATS_ROUND_TRIP_MS).catch(() => false),
      tell: (problem) => ownership.setDistribution(problem),
    });
    this.#started = true;
  }

  /** A planned stop: hands its shards over, then everything else back. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.ownership.drain();
    await this.engine.stop();
    await this.ownership.stop();
  }

  /** The process is gone. */
  gone(): void {
    this.options.nats.forget(this.connection);
    this.sessions.gone();
  }

  #createEngine(): Engine {
    const { process, installation, nats, witness, observer } = this.options;
    return createEngine({
      installation,
      truth: this.truth,
      status: this.truth.status(),
      publisher: new SimulatedPublisher({
        nats,
        connection: this.connection,
        subjects: subjectsOf(installation.name),
        installation: installationText(installation),
        witness,
      }),
      validator: smallValidator,
      ownership: this.ownership,
      clock: process.time,
      timer: process.time,
      scheduler: { yield: () => Promise.resolve() },
      sha256,
      log: this.#log(),
      observer,
      formatTime: (ms) => new Date(ms).toISOString(),
      parseTime: (text) => Date.parse(text),
      settings: {
        ...DEFAULT_ENGINE_SETTINGS,
        helloIntervalMs: HELLO_MS,
        leaseTtlMs: LEASE_TTL_MS,
      },
    });
  }

  /** What the handlers of heartbeats and acks do. */
  #hearConsumers(prefix: string): void {
    const { engine, connection } = this;
    const from = (subject: string): ConsumerRef => {
      const [, , , root = '', workload = '', consumerId = ''] = subject.split('.');
      return { root, workload, consumerId };
    };
    const hello = async ({ subject, data, respond }: NatsMessage): Promise<void> => {
      const reply = await engine.use.hello(from(subject), JSON.parse(data) as Hello);
      if (reply !== undefined) respond?.(JSON.stringify(reply));
    };
    connection.subscribe(`${prefix}.hello.>`, (message) => void hello(message));
    connection.subscribe(`${prefix}.ack.>`, ({ subject, data }) =>
      engine.use.ack(from(subject), JSON.parse(data) as Ack),
    );
  }

  #log(): Record<'debug' | 'info' | 'warn' | 'error', (message: string, fields?: object) => void> {
    const at =
      (level: string) =>
      (message: string, fields?: object): void =>
        this.options.log(level, `${this.options.process.id}: ${message}`, fields);
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}
