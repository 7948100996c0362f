import { settledWithin } from '@pawl/kernel';
import type { Job, Queue, Worker } from 'bullmq';
import { queueBackend, type QueueServer } from './queue-backend.js';
import { foregroundTimer } from '@pawl/contracts/node';

export interface JobQueueOptions {
  readonly server: QueueServer;
  /** Of the queue; the same on every node. */
  readonly name: string;
  /** Jobs at the same time on this node. */
  readonly concurrency: number;
  /** Does a job; gives up at the next chance when `signal` is aborted: the node is shutting down. */
  readonly process: (job: Job, signal: AbortSignal) => Promise<unknown>;
  /** Before the first job. */
  readonly prepare?: (queue: Queue, alone: Alone) => Promise<void>;
  readonly observer: JobObserver;
}

/** Does what makes schedules while no other node does; rejects when that cannot be had in time. */
export type Alone = (work: () => Promise<void>) => Promise<void>;

/** What happens to jobs that an operator may want to know. */
export interface JobObserver {
  /** A job failed for good; what it was for comes again at its next turn. */
  failed(kind: string, error: Error): void;
  /** The queue lost its server or got it back by itself. */
  disturbed(error: Error): void;
}

export interface JobQueue {
  readonly queue: Queue;
  readonly alone: Alone;
  /** Waits for jobs under way for `CLOSE_GRACE_MS`, then lets them go; over in four times that. */
  close(): Promise<void>;
}

/** A node that dies in a job: another takes it up after about this long (30 s by default). */
const LOCK_MS = 5_000;
const STALLED_CHECK_MS = 5_000;
/** Between attempts while the server is away (15 s by default). */
const RETRY_MS = 1_000;
/** A server that is not there by then is an error. */
const READY_MS = 10_000;
export const CLOSE_GRACE_MS = 2_000;

/**
 * A queue and this node's worker on it. Rejects when the server cannot be had.
 *
 * The worker runs only once its connection was ready: BullMQ 6.7 remembers a first connection that
 * failed for ever, and its loop then spins on that rejection without ever leaving the event loop.
 */
export async function openJobQueue(options: JobQueueOptions): Promise<JobQueue> {
  const { name, observer } = options;
  const backend = queueBackend(options.server);
  const queue = backend.queue(name);
  const alone: Alone = (work) => backend.alone(name, work);
  queue.on('error', (error) => observer.disturbed(error));
  try {
    await readyInTime(queue);
    await options.prepare?.(queue, alone);
  } catch (error) {
    await letGo(queue);
    throw error;
  }
  const stop = new AbortController();
  const worker = backend.worker(name, (job) => run(job, options, stop.signal), {
    concurrency: options.concurrency,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: 1,
    runRetryDelay: RETRY_MS,
  });
  worker.on('error', (error) => observer.disturbed(error));
  worker.on('failed', (job, error) => {
    const isLast = job === undefined || job.attemptsMade >= (job.opts.attempts ?? 1);
    if (isLast) observer.failed(job?.name ?? 'unknown', error);
  });
  try {
    await readyInTime(worker);
  } catch (error) {
    await settledWithin(worker.close(true), CLOSE_GRACE_MS, foregroundTimer);
    await letGo(queue);
    throw error;
  }
  void worker.run().catch((error: unknown) => observer.disturbed(error as Error));
  return { queue, alone, close: () => close(queue, worker, stop) };
}

async function close(queue: Queue, worker: Worker, stop: AbortController): Promise<void> {
  const closing = worker.close();
  if (!(await settledWithin(closing, CLOSE_GRACE_MS, foregroundTimer))) {
    stop.abort(new Error('this node is shutting down'));
    if (!(await settledWithin(closing, CLOSE_GRACE_MS, foregroundTimer))) {
      await settledWithin(worker.disconnect(), CLOSE_GRACE_MS, foregroundTimer);
    }
  }
  await letGo(queue);
}

/** Also where its server does not answer. */
async function letGo(queue: Queue): Promise<void> {
  if (await settledWithin(queue.close(), CLOSE_GRACE_MS, foregroundTimer)) return;
  await settledWithin(queue.disconnect(), CLOSE_GRACE_MS, foregroundTimer);
}

async function readyInTime(one: Queue | Worker): Promise<void> {
  const ready = one.waitUntilReady();
  if (!(await settledWithin(ready, READY_MS, foregroundTimer)))
    throw new Error('the job queue does not answer');
  await ready;
}

/** Ends with the work, or when `signal` is aborted, whether the work heeds it or not. */
async function run(job: Job, { process }: JobQueueOptions, signal: AbortSignal): Promise<unknown> {
  let abandon = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abandon = () => reject(signal.reason as Error);
  });
  signal.addEventListener('abort', abandon);
  try {
    return await Promise.race([process(job, signal), aborted]);
  } finally {
    signal.removeEventListener('abort', abandon);
  }
}
