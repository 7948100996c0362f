import { systemClock } from '@pawl/contracts/node';
import type { Distribution } from '@pawl/distribution';
import { WebhookUseCases } from '@pawl/engine';
import type { ConfigEngine, Installation, ShardOwnership, WebhookOutbox } from '@pawl/engine';
import type {
  JobObserver,
  LookJobs,
  LookJobsOptions,
  QueueServer,
  SweepJobs,
  SweepJobsOptions,
} from '@pawl/jobs';
import type { Timer } from '@pawl/kernel';
import type { Logger, Settings } from '@pawl/platform';
import type { ControlPlaneMetrics } from '../metrics/control-plane-metrics.js';
import { keepLooking, type Looking } from '../webhooks/keep-looking.js';
import { Webhooks } from '../webhooks/webhooks.js';
import { keepRunning, type Running } from './keep-running.js';
import type { LookHints } from './look-hints.js';
import { seldom } from './seldom.js';
import { sweepAllShards } from './sweep-all-shards.js';

/** The room that the queues are in. */
export interface JobsRoom {
  startSweepJobs(options: SweepJobsOptions): Promise<SweepJobs>;
  startLookJobs(options: LookJobsOptions): Promise<LookJobs>;
}

export interface TimedWorkParts {
  readonly settings: Settings;
  readonly rooms: JobsRoom;
  readonly logger: Logger;
  readonly metrics: ControlPlaneMetrics;
  readonly installation: Installation;
  readonly ownership: ShardOwnership;
  readonly distribution: Distribution;
  readonly outbox: WebhookOutbox;
  /** Use cases wherever the owner is. */
  readonly routed: Pick<ConfigEngine, 'lookAgain'>;
  readonly hints: LookHints;
  readonly timer: Timer;
}

/** Between two looks for webhooks to be sent that nobody asked for. */
const WEBHOOKS_EVERY_MS = 5_000;
/** From the end of one look to the next, also while there is no queue. */
const WEBHOOKS_ANYWAY_MS = 30_000;
/** A queue's server that is away is tried twice a second by each of several connections. */
const DISTURBED_EVERY_MS = 10_000;

/** Sweeps, wake-ups and webhooks: any node may do what any has asked for, and what is lost comes again. */
export class TimedWork {
  /** How webhooks do, for people. */
  readonly webhookUseCases: WebhookUseCases;
  readonly #webhooks: Webhooks;
  readonly #server: QueueServer;
  readonly #running: Running[] = [];
  readonly #looking: Looking;
  readonly #disturbed: (error: Error) => void;

  constructor(private readonly parts: TimedWorkParts) {
    const { settings, installation } = parts;
    this.#webhooks = new Webhooks(parts);
    this.#looking = keepLooking({
      endpoints: this.#webhooks.endpoints,
      deliver: (endpoint) => this.#webhooks.deliver(endpoint),
      everyMs: WEBHOOKS_ANYWAY_MS,
      timer: parts.timer,
      failed: (endpoint, err) =>
        parts.logger.warn({ endpoint, err }, 'webhooks were not looked at'),
    });
    this.webhookUseCases = new WebhookUseCases(
      this.#webhooks.configured,
      parts.outbox,
      (endpoint) => {
        parts.logger.info({ endpoint }, 'a webhook is tried now, as somebody asked');
        this.#looking.now(endpoint);
      },
    );
    this.#disturbed = seldom<Error>(
      (err, leftOut) => parts.logger.warn({ err, leftOut }, 'the job queue was disturbed'),
      DISTURBED_EVERY_MS,
      systemClock,
    );
    this.#server = {
      postgresUrl: settings.postgres.url ?? '',
      redisUrl: settings.redisUrl,
      installationId: installation.id,
    };
  }

  /** To be done before the first command, so that a new webhook is told of it. */
  async begin(): Promise<void> {
    await this.#webhooks.begin().catch((error: unknown) => {
      this.parts.logger.warn({ err: error }, 'new webhooks are told of nothing yet');
    });
  }

  /** Waits for nothing. */
  start(): void {
    const { logger, hints } = this.parts;
    this.#running.push(
      keepRunning('sweeps', () => this.#startSweeps(), logger),
      keepRunning('looks', async () => hints.use(await this.#startLooks()), logger),
    );
  }

  async close(): Promise<void> {
    this.#webhooks.stop();
    await Promise.all([this.#looking, ...this.#running].map((one) => one.close()));
  }

  #startSweeps(): Promise<SweepJobs> {
    const { rooms, settings, metrics, ownership, distribution, logger } = this.parts;
    const everyMs = settings.sweepIntervalMs;
    return rooms.startSweepJobs({
      server: this.#server,
      installation: settings.installation,
      intervalMs: { idempotency: everyMs, consumers: everyMs, contents: everyMs },
      sweeper: sweepAllShards({
        ownership,
        commands: distribution.commands,
        onFailures: ({ kind, shards, error }) =>
          logger.warn({ kind, shards, err: error }, 'some shards could not be swept'),
      }),
      observer: {
        swept: (kind, removed) => metrics.swept(kind, removed),
        ...this.#observer(),
      },
    });
  }

  async #startLooks(): Promise<LookJobs> {
    const { rooms, settings, routed } = this.parts;
    const webhooks = this.#webhooks;
    await webhooks.begin();
    return rooms.startLookJobs({
      server: this.#server,
      installation: settings.installation,
      lookAgain: (address) => routed.lookAgain(address),
      webhooks: {
        endpoints: webhooks.endpoints,
        deliver: (endpoint) => this.#looking.deliver(endpoint),
        everyMs: WEBHOOKS_EVERY_MS,
      },
      observer: this.#observer(),
    });
  }

  #observer(): JobObserver {
    const { logger } = this.parts;
    return {
      failed: (kind, error) => logger.warn({ kind, err: error }, 'timed work failed'),
      disturbed: this.#disturbed,
    };
  }
}
