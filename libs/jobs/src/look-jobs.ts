import { createHash } from 'node:crypto';
import { parseAddress, type Address, type Outcome } from '@pawl/contracts';
import type { WakeUps } from '@pawl/engine';
import type { Job, JobsOptions } from 'bullmq';
import { openJobQueue, type JobObserver, type JobQueue } from './job-queue.js';
import type { QueueServer } from './queue-backend.js';

export interface LookJobsOptions {
  readonly server: QueueServer;
  /** Name of the installation. */
  readonly installation: string;
  /** Lets the owner of an address look at its releases. */
  readonly lookAgain: (address: Address) => Promise<Outcome<null>>;
  readonly webhooks: {
    /** Names of those that this node knows; all nodes should know the same. */
    readonly endpoints: readonly string[];
    /**
     * Sends what is to be sent, and answers after how many milliseconds there is more to do, or `null`.
     * Harmless when another does the same.
     */
    readonly deliver: (endpoint: string) => Promise<number | null>;
    /** Between two looks at each endpoint that nobody asked for. */
    readonly everyMs: number;
  };
  readonly observer: JobObserver;
}

/** Asks for looks. A job is a hint only: one that is lost, late or done twice changes nothing but the time. */
export interface LookJobs extends WakeUps {
  /** Something was committed that may have to be sent. Returns at once and never throws. */
  committed(): void;
  close(): Promise<void>;
}

/** Webhooks that do not answer hold a place each; the others are over at once. */
const CONCURRENCY = 32;
/** Hints that are on their way to the queue; further ones are dropped. */
const MAX_ADDING = 2_000;
/** Wake-ups that are not asked for a second time for a while. */
const MAX_REMEMBERED = 10_000;
const REMEMBERED_MS = 60_000;
/** A job waits so long at most, and is then put off anew: Redis counts no further than some years. */
const MAX_DELAY_MS = 7 * 86_400_000;
/** Tries of one wake-up, with twice the pause each: over half a minute, which outlives a fail-over. */
const WAKE_ATTEMPTS = 6;
const WAKE_BACKOFF_MS = 1_000;
/** Commits within this time share one hint. */
const GATHER_MS = 50;
/** Further looks that are due within this time share a job. */
const AGAIN_MS = 1_000;
const ONCE: JobsOptions = { attempts: 1, removeOnComplete: true, removeOnFail: true };

interface WakeUpData {
  readonly address: string;
  /** Wall time, milliseconds. */
  readonly at: number;
}

/** One queue per installation for all that is to be looked at. Rejects when its server cannot be had. */
export async function startLookJobs(options: LookJobsOptions): Promise<LookJobs> {
  let looks: Looks | undefined;
  const jobs = await openJobQueue({
    server: options.server,
    name: `pawl-${options.installation}-looks`,
    concurrency: CONCURRENCY,
    process: async (job) => looks?.run(job),
    observer: options.observer,
    prepare: (queue) => {
      looks = new Looks(queue, options);
      return Promise.resolve();
    },
  });
  looks?.start();
  return {
    at: (address, wallMs) => looks?.at(address, wallMs),
    committed: () => looks?.committed(),
    close: () => {
      looks?.stop();
      return jobs.close();
    },
  };
}

class Looks {
  readonly #remembered = new Map<string, number>();
  #adding = 0;
  #regular: NodeJS.Timeout | undefined;
  #hint: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    private readonly queue: JobQueue['queue'],
    private readonly options: LookJobsOptions,
  ) {}

  start(): void {
    const { endpoints, everyMs } = this.options.webhooks;
    if (endpoints.length === 0) return;
    this.#regular = setInterval(() => this.#lookAtAll(everyMs), everyMs);
    this.committed();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#regular);
    clearTimeout(this.#hint);
  }

  at(address: Address, wallMs: number): void {
    const id = wakeUpId(address.text, wallMs);
    const nowMs = Date.now();
    if (nowMs - (this.#remembered.get(id) ?? -Infinity) < REMEMBERED_MS) return;
    this.#remember(id, nowMs);
    this.#addWakeUp({ address: address.text, at: wallMs }, id);
  }

  committed(): void {
    if (this.#stopped || this.#hint !== undefined) return;
    if (this.options.webhooks.endpoints.length === 0) return;
    this.#hint = setTimeout(() => {
      this.#hint = undefined;
      for (const endpoint of this.options.webhooks.endpoints) {
        this.#add('webhook', { endpoint }, ONCE);
      }
    }, GATHER_MS);
  }

  async run(job: Job): Promise<void> {
    if (job.name === 'webhook') return this.#deliver(job.data as { endpoint: string });
    if (job.name === 'wake-up') return this.#wakeUp(job.data as WakeUpData);
    throw new Error(`no look is called ${job.name}`);
  }

  async #wakeUp(data: WakeUpData): Promise<void> {
    const parsed = parseAddress(data.address);
    if (!parsed.ok) throw new Error(`a wake-up of no address: ${parsed.message}`);
    if (data.at > Date.now() + MAX_DELAY_MS / 2) {
      this.#addWakeUp(data, `${wakeUpId(data.address, data.at)}-${Date.now()}`);
      return;
    }
    const outcome = await this.options.lookAgain(parsed.address);
    if (outcome.ok || outcome.problem.code === 'not-found') return;
    throw new Error(`${outcome.problem.code}: ${outcome.problem.detail}`);
  }

  /** An endpoint that this node does not know is left to those that do. */
  async #deliver({ endpoint }: { endpoint: string }): Promise<void> {
    const { endpoints, deliver } = this.options.webhooks;
    if (!endpoints.includes(endpoint)) return;
    const againMs = await deliver(endpoint);
    if (againMs !== null) this.#add('webhook', { endpoint }, againIn(endpoint, againMs));
  }

  /** Nodes that look at the same time share a job. */
  #lookAtAll(everyMs: number): void {
    const turn = Math.floor(Date.now() / everyMs);
    for (const endpoint of this.options.webhooks.endpoints) {
      this.#add('webhook', { endpoint }, { ...ONCE, jobId: `regular-${endpoint}-${turn}` });
    }
  }

  #addWakeUp(data: WakeUpData, jobId: string): void {
    this.#add('wake-up', data, {
      jobId,
      delay: Math.min(MAX_DELAY_MS, Math.max(0, Math.ceil(data.at - Date.now()))),
      attempts: WAKE_ATTEMPTS,
      backoff: { type: 'exponential', delay: WAKE_BACKOFF_MS },
      removeOnComplete: true,
      removeOnFail: true,
    });
  }

  #add(name: string, data: object, options: JobsOptions): void {
    if (this.#stopped || this.#adding >= MAX_ADDING) return;
    this.#adding += 1;
    this.queue
      .add(name, data, options)
      .catch((error: unknown) => {
        if (options.jobId !== undefined) this.#remembered.delete(options.jobId);
        if (!this.#stopped) this.options.observer.disturbed(error as Error);
      })
      .finally(() => (this.#adding -= 1));
  }

  #remember(id: string, nowMs: number): void {
    this.#remembered.delete(id);
    this.#remembered.set(id, nowMs);
    if (this.#remembered.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }
}

/** While something waits for its time each look that a commit asks for says so, and all mean the same time. */
function againIn(endpoint: string, againMs: number): JobsOptions {
  if (againMs < AGAIN_MS) return { ...ONCE, delay: againMs };
  const nowMs = Date.now();
  const turn = Math.ceil((nowMs + againMs) / AGAIN_MS);
  return { ...ONCE, delay: turn * AGAIN_MS - nowMs, jobId: `again-${endpoint}-${turn}` };
}

/** The same for the same address and time, so that the queue keeps it once; BullMQ wants no colon in it. */
function wakeUpId(address: string, wallMs: number): string {
  const hash = createHash('sha256').update(`${address} ${wallMs}`).digest('hex');
  return `wake-${hash.slice(0, 32)}`;
}
