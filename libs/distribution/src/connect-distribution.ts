import { subjectsOf } from '@pawl/contracts';
import type { NatsConnection } from '@nats-io/transport-node';
import type { SnapshotPublisher } from '@pawl/engine';
import type { Clock } from '@pawl/kernel';
import { SILENT } from './connection/logger.js';
import type { DistributionLogger } from './connection/logger.js';
import { NatsLink } from './connection/nats-link.js';
import { systemClock } from '@pawl/contracts/node';
import { OwnerCommandClient } from './commands/owner-command-client.js';
import { JetStreamSnapshotPublisher } from './publication/jetstream-snapshot-publisher.js';
import type { StorageLimits } from './publication/stream-config.js';

export interface DistributionOptions {
  /** One NATS URL or several (a list, or separated by commas), with credentials where needed. */
  readonly servers: string | readonly string[];
  /** The installation's name: part of subjects and streams. */
  readonly installation: string;
  /** The installation's random id: streams and snapshots of other installations are left alone. */
  readonly installationId: string;
  /**
   * `<name>/<id>` of an installation that is gone for good: when the streams are its, they are emptied
   * and taken over.
   */
  readonly adoptStreams?: string;
  readonly storage?: StorageLimits;
  /** Deadline of one request to JetStream; default 3,000. */
  readonly requestTimeoutMs?: number;
  readonly logger?: DistributionLogger;
  readonly clock?: Clock;
}

export interface Distribution {
  /** The connection while NATS answers. */
  readonly connection: NatsConnection | undefined;
  readonly publisher: SnapshotPublisher;
  /** Why nothing can be published now, for operators; `null` while it can. */
  readonly problem: string | null;
  /** Why the death of one NATS server may stop all publication; `null`: as far as is known it may not. */
  readonly shortOfCopies: string | null;
  /** Whether the streams are known to be another installation's: so are then the consumers. */
  readonly foreign: boolean;
  readonly commands: OwnerCommandClient;
  /** Flushes and closes; resolves within three seconds whatever is down. */
  readonly close: () => Promise<void>;
}

const REQUEST_TIMEOUT_MS = 3_000;

/**
 * Resolves after the first attempt to connect, whether or not NATS answered: it is tried on for ever,
 * and until it does every call throws `DistributionUnavailableError`. Rejects with a TypeError only,
 * for a malformed installation name or server list.
 */
export async function connectDistribution(options: DistributionOptions): Promise<Distribution> {
  const { installation, adoptStreams, logger = SILENT, clock = systemClock } = options;
  const subjects = subjectsOf(installation);
  const link = await NatsLink.open({
    servers: options.servers,
    name: `pawl ${installation} publisher`,
    logger,
  });
  const publisher = new JetStreamSnapshotPublisher({
    link,
    subjects,
    installation: `${installation}/${options.installationId}`,
    ...(adoptStreams === undefined ? {} : { adopt: adoptStreams }),
    storage: options.storage ?? {},
    requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    clock,
    logger,
  });
  return {
    get connection() {
      return link.connection;
    },
    publisher,
    get problem() {
      return publisher.problem;
    },
    get shortOfCopies() {
      return publisher.shortOfCopies;
    },
    get foreign() {
      return publisher.foreign;
    },
    commands: new OwnerCommandClient(link, subjects, clock),
    close: () => {
      publisher.close();
      return link.close();
    },
  };
}
