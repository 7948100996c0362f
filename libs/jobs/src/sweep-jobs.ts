import type { SweepKind } from '@pawl/engine';
import { createPostgresBackend, withBackend, type Job } from 'bullmq';
import { Client, type ClientConfig } from 'pg';

/** Does a sweep; the app asks the owner of every shard. */
export interface Sweeper {
  /**
   * Resolves with how many things were removed over all shards. Gives up at the next chance when
   * `signal` is aborted: the node is shutting down.
   */
  sweep(kind: SweepKind, signal: AbortSignal): Promise<number>;
}

/** What happens that an operator may want to know. */
export interface SweepObserver {
  swept(kind: SweepKind, removed: number): void;
  /** A sweep failed; it comes again at its next turn. */
  failed(kind: string, error: Error): void;
  /** The queue lost PostgreSQL or got it back by itself. */
  disturbed(error: Error): void;
}

export interface SweepJobsOptions {
  readonly postgresUrl: string;
  /** Set: refused with a {@link QueueUnavailableError}, no Redis client comes with Pawl. */
  readonly redisUrl: string | null;
  readonly installation: string;
  /** How often each kind is swept over the whole installation, however many nodes run. */
  readonly intervalMs: Readonly<Record<SweepKind, number>>;
  readonly sweeper: Sweeper;
  readonly observer: SweepObserver;
}

export interface SweepJobs {
  /** Waits for the sweep under way for `CLOSE_GRACE_MS`, then lets it go; over in thrice that. */
  close(): Promise<void>;
}

/** The queue cannot be used as configured; `message` is one sentence for the operator. */
export class QueueUnavailableError extends Error {
  override readonly name = 'QueueUnavailableError';
}

export const SWEEP_KINDS = [
  'idempotency',
  'consumers',
  'contents',
] as const satisfies readonly SweepKind[];

/** Tables of BullMQ, apart from Pawl's own. */
const SCHEMA = 'pawl_jobs';
/** Connections for queries per queue and worker; each has one more to listen on. */
const POOL_SIZE = 2;
/** A node that dies in a sweep: another takes it up after about this long (30 s by default). */
const LOCK_MS = 5_000;
const STALLED_CHECK_MS = 5_000;
/** A connection that cannot be had within this time is an error, not a wait. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Between attempts while PostgreSQL is away (15 s by default). */
const RETRY_MS = 1_000;
export const CLOSE_GRACE_MS = 2_000;
/** Finished jobs kept, for somebody who looks into the queue. */
const KEPT = 20;

/**
 * A connection whose loss is always heard: BullMQ 6.7 has no listener on the one it migrates with, nor
 * on the one it listens for jobs on before that has connected, and an `error` event that nobody hears
 * ends the process. One that is lost in the breath in which it is ready has not connected, so that
 * BullMQ makes another. The query under way rejects all the same.
 */
class HeardClient extends Client {
  #lost: Error | undefined;

  constructor(config?: ClientConfig) {
    super(config);
    this.on('error', (error) => (this.#lost ??= error));
  }

  override connect(): Promise<Client>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<Client> | void {
    if (callback !== undefined) return super.connect(callback);
    return super.connect().then(() => {
      if (this.#lost !== undefined) throw this.#lost;
      return this;
    });
  }
}

/** BullMQ 6.7 makes the connection that it listens for jobs on with another class than it was given. */
const createHeardBackend: typeof createPostgresBackend = (...given) => {
  const made = createPostgresBackend(...given);
  const { connection } = made as unknown as { connection: { pgModule: object } };
  connection.pgModule = { Client: HeardClient };
  return made;
};

const backend = withBackend(createHeardBackend);
type SweepQueue = InstanceType<typeof backend.Queue>;

/** Throws a {@link QueueUnavailableError} when the queue cannot be used as configured. */
export function assertQueueAvailable(redisUrl: string | null): void {
  if (redisUrl === null) return;
  throw new QueueUnavailableError(
    'PAWL_REDIS_URL is set, but no Redis client is installed with Pawl: unset it, and BullMQ runs on PostgreSQL.',
  );
}

/**
 * Sweeps on a schedule: one queue per installation in PostgreSQL, so that every node may start this
 * and each sweep still runs once per interval. Rejects when PostgreSQL cannot be had.
 *
 * The worker runs only once its connection was ready: BullMQ 6.7 remembers a first connection that
 * failed for ever, and its loop then spins on that rejection without ever leaving the event loop.
 */
export async function startSweepJobs(options: SweepJobsOptions): Promise<SweepJobs> {
  assertQueueAvailable(options.redisUrl);
  const connection = {
    connectionString: options.postgresUrl,
    schema: SCHEMA,
    migrate: true,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    Client: HeardClient,
  };
  const name = `pawl-${options.installation}-sweeps`;
  const queue = new backend.Queue(name, { connection });
  queue.on('error', (error) => options.observer.disturbed(error));
  try {
    await queue.waitUntilReady();
    await schedule(queue, options.intervalMs);
  } catch (error) {
    await queue.close().catch(() => undefined);
    throw error;
  }
  const stop = new AbortController();
  const process = (job: Job): Promise<number> => sweep(job, options, stop.signal);
  const worker = new backend.Worker(name, process, {
    connection: { ...connection, migrate: false },
    concurrency: 1,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: 1,
    runRetryDelay: RETRY_MS,
    autorun: false,
  });
  worker.on('error', (error) => options.observer.disturbed(error));
  worker.on('failed', (job, error) => options.observer.failed(job?.name ?? 'unknown', error));
  try {
    await worker.waitUntilReady();
  } catch (error) {
    await settledWithin(worker.close(true), CLOSE_GRACE_MS);
    await settledWithin(queue.close(), CLOSE_GRACE_MS);
    throw error;
  }
  void worker.run().catch((error: unknown) => options.observer.disturbed(error as Error));
  return {
    close: async () => {
      const closing = worker.close();
      if (!(await settledWithin(closing, CLOSE_GRACE_MS))) {
        stop.abort(new Error('this node is shutting down'));
        await settledWithin(closing, CLOSE_GRACE_MS);
      }
      await settledWithin(queue.close(), CLOSE_GRACE_MS);
    },
  };
}

/** One scheduler per kind under a fixed id: what is there already is replaced, not doubled. */
async function schedule(
  queue: SweepQueue,
  intervalMs: Readonly<Record<SweepKind, number>>,
): Promise<void> {
  for (const kind of SWEEP_KINDS) {
    await queue.upsertJobScheduler(
      kind,
      { every: intervalMs[kind] },
      {
        name: kind,
        opts: { attempts: 1, removeOnComplete: { count: KEPT }, removeOnFail: { count: KEPT } },
      },
    );
  }
}

/** Ends with the sweep, or when `signal` is aborted, whether the sweeper heeds it or not. */
async function sweep(
  job: Job,
  { sweeper, observer }: SweepJobsOptions,
  signal: AbortSignal,
): Promise<number> {
  const kind = SWEEP_KINDS.find((known) => known === job.name);
  if (kind === undefined) throw new Error(`no sweep is called ${job.name}`);
  let abandon = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abandon = () => reject(signal.reason as Error);
  });
  signal.addEventListener('abort', abandon);
  try {
    const removed = await Promise.race([sweeper.sweep(kind, signal), aborted]);
    observer.swept(kind, removed);
    return removed;
  } finally {
    signal.removeEventListener('abort', abandon);
  }
}

async function settledWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const settled = work.then(
    () => true,
    () => true,
  );
  const inTime = await Promise.race([settled, late]);
  clearTimeout(timer);
  return inTime;
}
