import { backgroundTimer, sha256, systemClock } from '@pawl/contracts/node';
import {
  distributionControllers,
  distributionProviders,
  DroppedMessages,
  PawlNatsServer,
  type Distribution,
  type DistributionOptions,
} from '@pawl/distribution';
import {
  createEngine,
  DEFAULT_ENGINE_SETTINGS,
  installationText,
  routedEngine,
  TruthUnavailableError,
  type ConfigEngine,
  type Engine,
  type Installation,
  type SchemaValidator,
  type ShardOwnership,
} from '@pawl/engine';
import type { OpenedTruth, OpenTruthOptions } from '@pawl/persistence';
import { Metrics, redactUrl, type Endpoints, type Logger, type Settings } from '@pawl/platform';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { AppModule } from './app.module.js';
import type { QuorumMembers } from './cluster/cluster.controller.js';
import { dependencies, type Dependencies } from './health/dependencies.js';
import type { Link } from './health/nats-round-trip.js';
import { gateProbes } from './gates/gate-probes.js';
import { readinessChecks } from './health/readiness-checks.js';
import { watchDependencies } from './health/watch-dependencies.js';
import { BodyGate } from './http/body-gate.js';
import { outcomeOf } from './http/answers.js';
import { baseUrl, closeHttpApp } from './http/close-http-app.js';
import { createHttpApp } from './http/create-http-app.js';
import { ControlPlaneMetrics } from './metrics/control-plane-metrics.js';
import { engineLog } from './runtime/engine-log.js';
import { commandGate } from './routing/command-gate.js';
import { hearingHost } from './routing/hearing-host.js';
import { ownerCommands } from './routing/owner-commands.js';
import { CloseStack } from './runtime/close-stack.js';
import { Leaving } from './runtime/leaving.js';
import { machineScheduler } from './runtime/machine.js';
import { OwnEndpoints } from './runtime/own-endpoints.js';
import {
  explainFolder,
  explainListen,
  refuseIncomplete,
  StartError,
} from './runtime/start-error.js';
import { LookHints } from './sweeping/look-hints.js';
import { TimedWork, type JobsRoom } from './sweeping/timed-work.js';

/** Where the metadata lives: a member of the quorum in this process, or a real etcd cluster. */
export interface OpenedMetadata {
  /** Where this node's member and its coordination API are; empty for an etcd cluster. */
  readonly endpoints: Pick<Endpoints, 'peer' | 'etcd'>;
  /**
   * Claims shards of the installation once it is started. Throws `ForeignInstallationError` when the
   * quorum is another installation's.
   */
  ownership(installation: Installation): Promise<ShardOwnership>;
  /** Null: fine; else what keeps it from answering. */
  problem(): Promise<string | null>;
  readonly members: QuorumMembers;
  close(): Promise<void>;
}

/** The rooms that reach the world; tests hand in others. */
export interface Rooms extends JobsRoom {
  openMetadata(settings: Settings, logger: Logger): Promise<OpenedMetadata>;
  openTruth(options: OpenTruthOptions): Promise<OpenedTruth>;
  connectDistribution(options: DistributionOptions): Promise<Distribution>;
  createSchemaValidator(): SchemaValidator;
}

export interface ControlPlane {
  /** Base URL of REST. */
  readonly url: string;
  /** Stops in order, each part within a bound; may be called again. */
  stop(): Promise<void>;
}

/** How long PostgreSQL may take to come up beside us. */
const TRUTH_WAIT_MS = 30_000;
const TRUTH_RETRY_MS = 500;
const PREPARE_RETRY_MS = 1_000;
/**
 * A request outlives the failure of its shard's owner: its lease, of which each new leader of the
 * quorum gives most anew, and the next owner's loading.
 */
const ROUTE_TTLS = 3;
const MIN_ROUTE_MS = 5_000;
/** Requests that may be with other nodes, or look for them; each holds its body. */
const MAX_ROUTED = 1_000;
/** How long a stop may take in all; the process gives it 20 s. */
const STOP_MS = 17_000;
/** How long one part of it may take. */
const CLOSE_DEADLINE_MS = 4_000;
/** The same for timed work, which is crash-safe, and for the hand-over of the shards, which has 8 s. */
const JOBS_DEADLINE_MS = 1_500;
const DRAIN_DEADLINE_MS = 8_500;
/** Left in any case to what ends the lease: the others take the shards then at once. */
const LEASE_RESERVE_MS = 3_000;

/**
 * Opens every part in the order in which one needs the other, listens, and claims shards. Throws a
 * `StartError` for what an operator can put right; whatever was opened is closed again then.
 */
export async function compose(
  settings: Settings,
  rooms: Rooms,
  logger: Logger,
): Promise<ControlPlane> {
  refuseIncomplete(settings);
  const stack = new CloseStack({
    logger,
    totalMs: STOP_MS,
    deadlineMs: CLOSE_DEADLINE_MS,
    monotonicMs: () => systemClock.monotonicMs(),
  });
  try {
    const url = await new Composition(settings, rooms, { logger, stack }).start();
    logger.info({ url, installation: settings.installation }, 'control plane started');
    return { url, stop: () => stack.closeAll() };
  } catch (error) {
    await stack.closeAll();
    throw error;
  }
}

/** What listens, over HTTP and NATS, and what the node needs to be ready. */
interface Listeners {
  readonly app: NestFastifyApplication;
  readonly server: PawlNatsServer;
  readonly needs: Dependencies;
}

class Composition {
  readonly #registry = new Metrics();
  readonly #metrics = new ControlPlaneMetrics(this.#registry);
  readonly #gate = new BodyGate();
  readonly #hints = new LookHints();
  readonly #logger: Logger;
  readonly #stack: CloseStack;
  readonly #urls: { readonly postgres: string; readonly nats: string };

  constructor(
    private readonly settings: Settings,
    private readonly rooms: Rooms,
    runtime: { readonly logger: Logger; readonly stack: CloseStack },
  ) {
    this.#logger = runtime.logger;
    this.#stack = runtime.stack;
    this.#urls = { postgres: settings.postgres.url ?? '', nats: settings.nats.url ?? '' };
  }

  async start(): Promise<string> {
    this.#registry.observeProcess();
    const metadata = await this.rooms
      .openMetadata(this.settings, this.#logger)
      .catch((error: unknown) => Promise.reject(this.#explained(error)));
    this.#stack.push('metadata', () => metadata.close());
    const endpoints = this.#ownEndpoints(metadata);
    await endpoints.starting();
    const validator = this.rooms.createSchemaValidator();
    this.#stack.push('validator', () => validator.close());
    const opened = await this.#openTruth();
    const installation = await opened.truth.installation();
    // Streams of an installation that is not this node's are neither made nor taken.
    const ownership = await metadata.ownership(installation);
    const distribution = await this.#connect(installation);
    const engine = this.#createEngine({ opened, installation, distribution, ownership, validator });
    const monotonicMs = (): number => systemClock.monotonicMs();
    const leaving = new Leaving({ ownership, monotonicMs, timer: backgroundTimer });
    const parts = { opened, installation, distribution, ownership, engine, metadata, leaving };
    const use = this.#routed(parts);
    const timed = this.#timedWork({ ...parts, use });
    const { app, server, needs } = await this.#createApp({ ...parts, use, timed });
    await timed.begin();
    // Closed in the reverse order: jobs, shards, HTTP and NATS handlers, the engine, ownership; then the rest.
    this.#stack.push('ownership', () => ownership.stop(), { reserveMs: LEASE_RESERVE_MS });
    this.#stack.push('engine', () => engine.stop());
    const url = await this.#listen(app);
    await endpoints.serving(url, installationText(installation));
    this.#stack.push('endpoints', () => endpoints.remove());
    this.#stack.push('grace of REST', () => leaving.over());
    await ownership.start(hearingHost(engine.host, server));
    this.#keepReady(needs, ownership);
    timed.start();
    this.#stack.push('jobs', () => timed.close(), { deadlineMs: JOBS_DEADLINE_MS });
    this.#stack.push('readiness', () => leaving.begin());
    return url;
  }

  /** PostgreSQL and NATS are watched, and the shards go to other nodes before anything else of a stop. */
  #keepReady(needs: Dependencies, ownership: ShardOwnership): void {
    const { leaseTtlMs } = this.settings;
    const watching = watchDependencies({
      dependencies: needs,
      ownership,
      leaseTtlMs,
      timer: backgroundTimer,
    });
    this.#stack.push('watches', () => watching.stop());
    this.#stack.push('shards', () => ownership.drain(), { deadlineMs: DRAIN_DEADLINE_MS });
  }

  /** They go with an orderly stop, and with a start that fails. */
  #ownEndpoints({ endpoints }: OpenedMetadata): OwnEndpoints {
    const own = new OwnEndpoints(this.settings.dataDir, {
      postgres: redactUrl(this.#urls.postgres),
      nats: redactUrl(this.#urls.nats),
      ...endpoints,
    });
    this.#stack.push('endpoints', () => own.remove());
    return own;
  }

  #explained(error: unknown): Error {
    return explainFolder(error, this.settings.dataDir) as Error;
  }

  /** PostgreSQL may start at the same time as we do, so it is waited for, but not for ever. */
  async #openTruth(): Promise<OpenedTruth> {
    const { installation, shards, nodeId, leaseTtlMs } = this.settings;
    const untilMs = systemClock.monotonicMs() + TRUTH_WAIT_MS;
    for (;;) {
      try {
        const opened = await this.rooms.openTruth({
          url: this.#urls.postgres,
          installation,
          shards,
          nodeId,
          leaseTtlMs,
          scheduler: machineScheduler,
          // The error carries the whole client, which nobody wants to read.
          onIdleError: ({ message }) => this.#logger.warn({ error: message }, 'PostgreSQL hung up'),
        });
        this.#stack.push('truth', () => opened.close());
        for (const note of opened.notes) this.#logger.warn(note);
        return opened;
      } catch (error) {
        if (!(error instanceof TruthUnavailableError)) throw error;
        if (systemClock.monotonicMs() > untilMs) {
          throw new StartError(
            `PostgreSQL at ${redactUrl(this.#urls.postgres)} does not answer: ${error.message}`,
            { cause: error },
          );
        }
        await new Promise((resolve) => setTimeout(resolve, TRUTH_RETRY_MS));
      }
    }
  }

  async #connect(installation: Installation): Promise<Distribution> {
    const { replicas } = this.settings.nats;
    const distribution = await this.rooms.connectDistribution({
      servers: this.#urls.nats,
      installation: installation.name,
      installationId: installation.id,
      storage: replicas === null ? {} : { replicas },
      ...(this.settings.adoptStreams === null ? {} : { adoptStreams: this.settings.adoptStreams }),
      logger: this.#logger,
      clock: systemClock,
    });
    this.#stack.push('distribution', () => distribution.close());
    this.#prepareStreams(distribution);
    return distribution;
  }

  /** Streams are made when NATS answers: a start never waits for it. */
  #prepareStreams({ publisher }: Distribution): void {
    let stopped = false;
    let said = '';
    const attempt = (): void => {
      publisher.prepare().catch((error: unknown) => {
        if (stopped) return;
        if (said !== String(error)) this.#logger.warn({ err: error }, 'streams are not ready yet');
        said = String(error);
        backgroundTimer.after(PREPARE_RETRY_MS, () => stopped || attempt());
      });
    };
    this.#stack.push('streams', () => void (stopped = true));
    attempt();
  }

  #createEngine(parts: {
    readonly opened: OpenedTruth;
    readonly installation: Installation;
    readonly distribution: Distribution;
    readonly ownership: ShardOwnership;
    readonly validator: SchemaValidator;
  }): Engine {
    return createEngine({
      installation: parts.installation,
      truth: parts.opened.truth,
      status: parts.opened.status,
      savedStatus: parts.opened.savedStatus,
      publisher: parts.distribution.publisher,
      validator: parts.validator,
      ownership: parts.ownership,
      clock: systemClock,
      timer: backgroundTimer,
      scheduler: machineScheduler,
      sha256,
      log: engineLog(this.#logger),
      observer: this.#hints.observing(this.#metrics),
      wakeUps: this.#hints,
      gateProbes: gateProbes(this.settings, parts.installation, this.#metrics),
      formatTime: (wallMs) => new Date(wallMs).toISOString(),
      parseTime: (text) => Date.parse(text),
      settings: {
        ...DEFAULT_ENGINE_SETTINGS,
        propagationBoundMs: this.settings.propagationBoundMs,
        leaseTtlMs: this.settings.leaseTtlMs,
      },
    });
  }

  async #createApp(parts: {
    readonly opened: OpenedTruth;
    readonly installation: Installation;
    readonly distribution: Distribution;
    readonly ownership: ShardOwnership;
    readonly engine: Engine;
    readonly use: ConfigEngine;
    readonly metadata: OpenedMetadata;
    readonly leaving: Leaving;
    readonly timed: TimedWork;
  }): Promise<Listeners> {
    const { engine, use, ownership, distribution } = parts;
    const engineStatus = (): ReturnType<Engine['status']> => engine.status();
    const dropped = new DroppedMessages({
      logger: this.#logger,
      onDrop: (kind, reason) => this.#metrics.dropped(kind, reason),
    });
    const server = new PawlNatsServer({
      servers: this.#urls.nats,
      installation: this.settings.installation,
      dropped,
      serves: engine.serves,
      foreign: () => distribution.foreign,
      gate: commandGate(this.#gate),
      logger: this.#logger,
    });
    const needs = this.#needs(parts.opened, distribution, server);
    const app = await createHttpApp({
      module: AppModule.with({
        engine: use,
        restore: engine.restore,
        webhooks: parts.timed.webhookUseCases,
        serves: engine.serves,
        engineStatus,
        fleetStatus: () => engine.fleet(),
        quorumMembers: parts.metadata.members,
        installation: installationText(parts.installation),
        readiness: readinessChecks({
          dependencies: needs,
          distribution,
          metadata: parts.metadata,
          ownership,
          engineStatus,
          leaving: () => parts.leaving.begun,
        }),
        metrics: this.#metrics,
        registry: this.#registry,
        microservice: {
          controllers: distributionControllers,
          providers: distributionProviders({
            traffic: engine.use,
            commands: ownerCommands(engine, {
              shards: parts.installation.shards,
              onMisdirected: (address, { shard }) =>
                dropped.drop('command', 'malformed', () => ({ address, shard })),
            }),
            dropped,
          }),
        },
      }),
      host: this.settings.http.host,
      allowedHosts: this.settings.http.allowedHosts,
      logger: this.#logger,
      gate: this.#gate,
      observe: (request) => this.#metrics.request(request),
    });
    app.connectMicroservice({ strategy: server });
    return { app, server, needs };
  }

  #needs({ truth }: OpenedTruth, distribution: Distribution, traffic: Link): Dependencies {
    const { settings } = this;
    return dependencies({ truth, distribution, traffic, settings, clock: systemClock });
  }

  #timedWork(parts: {
    readonly opened: OpenedTruth;
    readonly installation: Installation;
    readonly distribution: Distribution;
    readonly ownership: ShardOwnership;
    readonly use: ConfigEngine;
  }): TimedWork {
    const { installation, distribution, ownership } = parts;
    return new TimedWork({
      ...{ settings: this.settings, rooms: this.rooms, logger: this.#logger },
      ...{ metrics: this.#metrics, hints: this.#hints, installation, distribution, ownership },
      outbox: parts.opened.webhookOutbox,
      routed: parts.use,
      timer: backgroundTimer,
    });
  }

  /** The use-cases that REST offers: on any node, wherever the owner is. */
  #routed(parts: {
    readonly installation: Installation;
    readonly distribution: Distribution;
    readonly ownership: ShardOwnership;
    readonly engine: Engine;
  }): ConfigEngine {
    return routedEngine({
      local: parts.engine.use,
      saved: parts.engine.saved,
      serves: parts.engine.serves,
      ownership: parts.ownership,
      calls: parts.distribution.commands,
      shards: parts.installation.shards,
      clock: systemClock,
      timer: backgroundTimer,
      newId: randomUUID,
      inTurn: (length, work) => outcomeOf(() => this.#gate.inTurn(length, work)),
      deadlineMs: Math.max(MIN_ROUTE_MS, ROUTE_TTLS * this.settings.leaseTtlMs),
      maxRouted: MAX_ROUTED,
    });
  }

  async #listen(app: NestFastifyApplication): Promise<string> {
    const { http } = this.settings;
    this.#stack.push('http', (boundMs) => closeHttpApp(app, boundMs));
    await app.startAllMicroservices();
    try {
      await app.listen(http.port, http.host);
    } catch (error) {
      throw explainListen(error, http);
    }
    const { port } = app.getHttpServer().address() as AddressInfo;
    return baseUrl(http.host, port);
  }
}
