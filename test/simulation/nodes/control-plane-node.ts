import { subjectsOf } from '@pawl/contracts';
import type { Ack, Hello, Vote } from '@pawl/contracts';
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
  Fence,
  Installation,
  ShardHost,
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
  /** Something failed that is to succeed or to be refused. */
  readonly failed: (error: Error) => void;
  readonly log: (level: string, message: string, fields?: object) => void;
  /** An ack came to who serves its shard. */
  readonly acked?: (owner: string, ack: Ack) => void;
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
  readonly #use: ConfigEngine;
  readonly truth: SimulatedTruth;
  /** Called when a shard is about to be given up, which is done once this resolves. */
  beforeLost: (shard: number) => Promise<void> = () => Promise.resolve();
  readonly #server: SimulatedCommandServer;
  #started = false;
  #startedMs = 0;
  #leaving = false;
  #closed = false;
  #requests = 0;
  #idle: () => void = () => undefined;

  constructor(private readonly options: NodeOptions) {
    const { process, installation, wire, postgres, nats } = options;
    this.id = process.id;
    this.process = process;
    this.sessions = new TruthSessions(postgres, wire, process.time);
    this.truth = new SimulatedTruth(this.sessions);
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
    const { failed } = options;
    const commands = ownerCommands(engine, {
      shards: installation.shards,
      onMisdirected: (at) => failed(new Error(`a call for ${at} came to another shard`)),
    });
    this.#server = new SimulatedCommandServer(connection, subjects, commands, failed);
    this.#use = routedEngine({
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

  /** As fences name it. */
  get owner(): string {
    return `${this.id}/${this.options.incarnation}`;
  }

  /** It has claimed what it could. */
  get started(): boolean {
    return this.#started;
  }

  /** How long ago that was, by the world's clock; 0 before. */
  get startedForMs(): number {
    return this.#started ? this.options.wire.time.monotonicMs() - this.#startedMs : 0;
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
    await ownership.start(this.#host());
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
    this.#startedMs = this.options.wire.time.monotonicMs();
  }

  /** Whether it takes requests: not before it is started, and not when it is about to stop. */
  get listens(): boolean {
    return this.#started && !this.#closed;
  }

  /** Answers one request, as REST does. */
  async answer<T>(question: (use: ConfigEngine) => Promise<T>): Promise<T> {
    this.#requests += 1;
    try {
      return await question(this.#use);
    } finally {
      this.#requests -= 1;
      if (this.#requests === 0) this.#idle();
    }
  }

  /** A planned stop: hands its shards over, answers what came by then, then gives back the rest. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.ownership.drain();
    this.#closed = true;
    if (this.#requests > 0) await new Promise<void>((idle) => (this.#idle = idle));
    await this.engine.stop();
    await this.ownership.stop();
    await this.process.node.close();
  }

  /** The process is gone. */
  gone(): void {
    this.options.nats.forget(this.connection);
    this.sessions.gone();
  }

  #host(): ShardHost {
    const host = hearingHost(this.engine.host, this.#server);
    const lost = async (fence: Fence): Promise<void> => {
      await this.beforeLost(fence.shard);
      await host.lost(fence);
    };
    return { ...host, lost };
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

  /** What the handlers of heartbeats, acks and votes do. */
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
    connection.subscribe(`${prefix}.ack.>`, ({ subject, data }) => {
      const ref = from(subject);
      const ack = JSON.parse(data) as Ack;
      if (engine.serves(ref.root)) this.options.acked?.(this.owner, ack);
      engine.use.ack(ref, ack);
    });
    connection.subscribe(`${prefix}.vote.>`, ({ subject, data }) =>
      engine.use.vote(from(subject), JSON.parse(data) as Vote),
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
