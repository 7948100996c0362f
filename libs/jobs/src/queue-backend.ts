import { settledWithin } from '@pawl/kernel';
import {
  createIORedisClient,
  createRedisBackend,
  Queue,
  RedisConnection,
  withBackend,
  Worker,
  type Job,
  type QueueOptions,
  type WorkerOptions,
} from 'bullmq';
import { Redis } from 'ioredis';
import { createHeardBackend, HeardClient } from './heard-postgres.js';
import { foregroundTimer } from '@pawl/contracts/node';

/** Where the jobs lie: in Redis where that is given, else in PostgreSQL. */
export interface QueueServer {
  readonly postgresUrl: string;
  readonly redisUrl: string | null;
  /** Of the installation; one Redis may serve several. */
  readonly installationId: string;
}

/** A queue and its worker on whatever server there is. */
export interface QueueBackend {
  queue(name: string): Queue;
  /** Does nothing before it is run. */
  worker(
    name: string,
    process: (job: Job) => Promise<unknown>,
    options: Omit<WorkerOptions, 'connection' | 'autorun'>,
  ): Worker;
  /**
   * Does what makes schedules of a queue while no other node does. Rejects, and has done nothing, when it
   * is not this node's turn in time.
   */
  alone(name: string, work: () => Promise<void>): Promise<void>;
}

/** Tables of BullMQ, apart from Pawl's own. */
const SCHEMA = 'pawl_jobs';
/** Connections for queries per queue and worker; each has one more to listen on. */
const POOL_SIZE = 2;
/** A connection that cannot be had within this time is an error, not a wait. */
const CONNECT_TIMEOUT_MS = 5_000;
/** A node that is paused in its turn holds the others up no longer: they try again later. */
const TURN_MS = 10_000;
/** What Redis does not answer within this time is an error; its loss may not be noticed before. */
const COMMAND_TIMEOUT_MS = 5_000;
/** Between attempts to reach a Redis that is away. */
const RECONNECT_MS = 500;

export function queueBackend(server: QueueServer): QueueBackend {
  return server.redisUrl === null
    ? onPostgres(server.postgresUrl)
    : onRedis(server.redisUrl, server.installationId);
}

function onPostgres(connectionString: string): QueueBackend {
  const classes = withBackend(createHeardBackend);
  const connection = {
    connectionString,
    schema: SCHEMA,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    Client: HeardClient,
  };
  return {
    queue: (name) =>
      new classes.Queue(name, { connection: { ...connection, migrate: true } }) as unknown as Queue,
    worker: (name, process, options) =>
      new classes.Worker(name, process, {
        ...options,
        connection: { ...connection, migrate: false },
        autorun: false,
      }) as unknown as Worker,
    alone: (name, work) => inTurn(connectionString, name, work),
  };
}

/**
 * BullMQ 6.7 reads a schedule and makes its next job without a lock in between: nodes that did so at the
 * same time would each make a job that runs at once. The lock ends with its session, whatever happens.
 */
async function inTurn(
  connectionString: string,
  name: string,
  work: () => Promise<void>,
): Promise<void> {
  const client = new HeardClient({
    connectionString,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    lock_timeout: TURN_MS,
    query_timeout: TURN_MS + CONNECT_TIMEOUT_MS,
  });
  try {
    await client.connect();
    await client.query('SELECT pg_advisory_lock(hashtext($1), hashtext($2))', [SCHEMA, name]);
    await work();
  } finally {
    await settledWithin(client.end(), CONNECT_TIMEOUT_MS, foregroundTimer);
  }
}

/**
 * Redis makes a schedule and its next job in one step. A queue tells at once that Redis is away, since what it
 * adds is a hint; a worker waits for it. The client is made here: BullMQ 6.7 finds it with `require` only, which
 * ES modules have not.
 */
function onRedis(url: string, installationId: string): QueueBackend {
  RedisConnection.clientFactory = ({ url: at, ...options }) => {
    const client = new Redis(at ?? url, options);
    client.on('error', forgetCommand);
    return createIORedisClient(client);
  };
  const classes = withBackend(createRedisBackend);
  const connection = {
    url,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: () => RECONNECT_MS,
  };
  const prefix = `pawl:${installationId}`;
  const asking: QueueOptions['connection'] = {
    ...connection,
    enableOfflineQueue: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
  };
  return {
    queue: (name) => new classes.Queue(name, { prefix, connection: asking }),
    worker: (name, process, options) =>
      new classes.Worker(name, process, { ...options, prefix, connection, autorun: false }),
    alone: (_name, work) => work(),
  };
}

/** ioredis puts the refused command on its error: that of a login names the password, and errors are logged. */
function forgetCommand(error: Error & { command?: unknown }): void {
  delete error.command;
}
