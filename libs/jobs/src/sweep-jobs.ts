import type { SweepKind } from '@pawl/engine';
import type { Job, Queue } from 'bullmq';
import { openJobQueue, type JobObserver, type JobQueue } from './job-queue.js';
import type { QueueServer } from './queue-backend.js';

/** Does a sweep; the app asks the owner of every shard. */
export interface Sweeper {
  /**
   * Resolves with how many things were removed over all shards. Gives up at the next chance when
   * `signal` is aborted: the node is shutting down.
   */
  sweep(kind: SweepKind, signal: AbortSignal): Promise<number>;
}

/** What happens that an operator may want to know. A sweep that failed comes again at its next turn. */
export interface SweepObserver extends JobObserver {
  swept(kind: SweepKind, removed: number): void;
}

export interface SweepJobsOptions {
  readonly server: QueueServer;
  /** Name of the installation. */
  readonly installation: string;
  /** How often each kind is swept over the whole installation, however many nodes run. */
  readonly intervalMs: Readonly<Record<SweepKind, number>>;
  readonly sweeper: Sweeper;
  readonly observer: SweepObserver;
}

export interface SweepJobs {
  /** Waits for the sweep under way for `CLOSE_GRACE_MS`, then lets it go; over in four times that. */
  close(): Promise<void>;
}

export const SWEEP_KINDS = [
  'idempotency',
  'consumers',
  'contents',
] as const satisfies readonly SweepKind[];

/** Finished jobs kept, for somebody who looks into the queue. */
const KEPT = 20;
/** How often it is seen to that the server still has the schedule: a Redis may forget everything. */
const RECHECK_MS = 10_000;

/**
 * Sweeps on a schedule: one queue per installation, so that every node may start this and each sweep
 * still runs once per interval. Rejects when the queue's server cannot be had.
 */
export async function startSweepJobs(options: SweepJobsOptions): Promise<SweepJobs> {
  const { server, installation, observer, intervalMs } = options;
  const jobs = await openJobQueue({
    server,
    name: `pawl-${installation}-sweeps`,
    concurrency: 1,
    process: (job, signal) => sweep(job, options, signal),
    prepare: (queue, alone) => alone(() => schedule(queue, intervalMs)),
    observer,
  });
  const rechecking = setInterval(() => {
    scheduleIfLost(jobs, intervalMs).catch((error: unknown) => observer.disturbed(error as Error));
  }, RECHECK_MS);
  return {
    close: () => {
      clearInterval(rechecking);
      return jobs.close();
    },
  };
}

async function scheduleIfLost(
  { queue, alone }: JobQueue,
  intervalMs: Readonly<Record<SweepKind, number>>,
): Promise<void> {
  if ((await queue.getJobSchedulersCount()) >= SWEEP_KINDS.length) return;
  await alone(() => schedule(queue, intervalMs));
}

/** One scheduler per kind under a fixed id: what is there already is replaced, not doubled. */
async function schedule(
  queue: Queue,
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

async function sweep(
  job: Job,
  { sweeper, observer }: SweepJobsOptions,
  signal: AbortSignal,
): Promise<number> {
  const kind = SWEEP_KINDS.find((known) => known === job.name);
  if (kind === undefined) throw new Error(`no sweep is called ${job.name}`);
  const removed = await sweeper.sweep(kind, signal);
  if (!signal.aborted) observer.swept(kind, removed);
  return removed;
}
