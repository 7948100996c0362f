import { assert } from '@pawl/kernel';
import type { Problem } from '@pawl/contracts';
import { ValidationOverloadedError, type Violation } from '@pawl/engine';

import { type CutOff, PoolWorker } from './pool-worker.js';
import type { WorkerReply } from './protocol.js';

/** Loading ajv takes a few hundred milliseconds; on a busy machine much more. */
const START_DEADLINE_MS = 30_000;

export interface PoolLimits {
  readonly workers: number;
  /** Heap of one worker. */
  readonly memoryMb: number;
  readonly compileDeadlineMs: number;
  readonly validateDeadlineMs: number;
  /** Tasks that wait for a worker; one more is refused. */
  readonly queueLimit: number;
  /** How long a task waits for a worker before it is refused. */
  readonly queueDeadlineMs: number;
}

/** A schema to compile and, when `document` is there, its document to validate. Both are JSON. */
export interface PoolTask {
  readonly hash: string;
  readonly schema: string;
  readonly document?: string;
}

export type PoolResult =
  | { readonly kind: 'compiled' }
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly violations: readonly Violation[] }
  | { readonly kind: 'refused'; readonly problem: Problem }
  | {
      readonly kind: 'cut-off';
      readonly step: 'compile' | 'validate';
      readonly reason: 'deadline' | 'memory';
      readonly afterMs: number;
    };

/** The validator was closed before the work was done. */
export class ValidatorClosedError extends Error {
  override readonly name = 'ValidatorClosedError';
}

interface Queued {
  readonly task: PoolTask;
  readonly resolve: (result: PoolResult) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Runs schemas and documents that may take long in threads of their own, one task per thread, in
 * order of arrival. A task that reaches its deadline or fills its thread's memory ends the thread
 * and nothing else. Threads start when they are first needed.
 */
export class WorkerPool {
  /** Every live worker, idle or not. */
  readonly #workers = new Set<PoolWorker>();
  /** Workers without a task; those used last are at the end. */
  readonly #idle: PoolWorker[] = [];
  readonly #queue = new Set<Queued>();
  /** Tasks that have a worker or are getting one: never more than `limits.workers`. */
  #running = 0;
  #closed = false;

  constructor(private readonly limits: PoolLimits) {}

  /** Rejects with ValidationOverloadedError, ValidatorClosedError, or when a thread cannot run. */
  run(task: PoolTask): Promise<PoolResult> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError());
      if (this.#queue.size >= this.limits.queueLimit) {
        return reject(new ValidationOverloadedError('too many validations wait for a worker'));
      }
      const timer = setTimeout(() => {
        this.#queue.delete(queued);
        reject(new ValidationOverloadedError('no worker was free for this validation in time'));
      }, this.limits.queueDeadlineMs);
      const queued: Queued = { task, resolve, reject, timer };
      this.#queue.add(queued);
      this.#pump();
    });
  }

  /** Drops schemas from the workers that keep them. */
  forget(hashes: readonly string[]): void {
    for (const worker of this.#workers) worker.forget(hashes);
  }

  /** Ends every thread at once; what runs or waits is rejected with ValidatorClosedError. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const queued of this.#queue) {
      clearTimeout(queued.timer);
      queued.reject(closedError());
    }
    this.#queue.clear();
    await Promise.all([...this.#workers].map((worker) => worker.end(closedError())));
  }

  #pump(): void {
    for (const queued of this.#queue) {
      if (this.#running >= this.limits.workers) return;
      this.#queue.delete(queued);
      clearTimeout(queued.timer);
      this.#running += 1;
      void this.#execute(queued.task)
        .finally(() => {
          this.#running -= 1;
          this.#pump();
        })
        .then(queued.resolve, queued.reject);
    }
  }

  /** Out of memory in a worker that keeps other schemas says nothing yet about this one. */
  async #execute(task: PoolTask): Promise<PoolResult> {
    const worker = this.#takeIdle(task.hash) ?? (await this.#start());
    const crowded = worker.keepsOthers(task.hash);
    const result = await this.#steps(worker, task);
    const spoilt = crowded && result.kind === 'cut-off' && result.reason === 'memory';
    return spoilt ? this.#steps(await this.#start(), task) : result;
  }

  /** Best one that keeps the schema already. */
  #takeIdle(hash: string): PoolWorker | undefined {
    const usable = this.#idle.filter((worker) => !worker.ended);
    const worker = usable.find((idle) => idle.has(hash)) ?? usable.at(-1);
    this.#idle.splice(0, this.#idle.length, ...usable.filter((idle) => idle !== worker));
    return worker;
  }

  async #start(): Promise<PoolWorker> {
    if (this.#closed) throw closedError();
    const worker = new PoolWorker(this.limits.memoryMb);
    this.#workers.add(worker);
    void worker.exited.then(() => this.#workers.delete(worker));
    const reply = await worker.ask({ kind: 'hello' }, START_DEADLINE_MS);
    if (reply.kind !== 'ready') throw new Error('a validation worker did not start in time');
    return worker;
  }

  async #steps(worker: PoolWorker, task: PoolTask): Promise<PoolResult> {
    try {
      const refusal = worker.has(task.hash) ? undefined : await this.#compile(worker, task);
      if (refusal !== undefined) return refusal;
      if (task.document === undefined) return { kind: 'compiled' };
      return await this.#validate(worker, task.hash, task.document);
    } finally {
      if (!worker.ended) this.#idle.push(worker);
    }
  }

  async #compile(worker: PoolWorker, task: PoolTask): Promise<PoolResult | undefined> {
    const { hash, schema } = task;
    const deadlineMs = this.limits.compileDeadlineMs;
    const reply = await worker.ask({ kind: 'compile', hash, schema }, deadlineMs);
    if (reply.kind === 'cut-off') return cutOff('compile', reply);
    if (reply.kind === 'refused') return reply;
    worker.keep(hash, schema.length);
    return undefined;
  }

  async #validate(worker: PoolWorker, hash: string, document: string): Promise<PoolResult> {
    const deadlineMs = this.limits.validateDeadlineMs;
    const reply = await worker.ask({ kind: 'validate', hash, document }, deadlineMs);
    return reply.kind === 'cut-off' ? cutOff('validate', reply) : verdict(reply);
  }
}

/** A verdict that came before the cut-off stands, with the violations known by then. */
function cutOff(step: 'compile' | 'validate', reply: CutOff): PoolResult {
  if (reply.partial !== undefined) return verdict(reply.partial);
  return { kind: 'cut-off', step, reason: reply.reason, afterMs: reply.afterMs };
}

function verdict(reply: WorkerReply): PoolResult {
  assert(reply.kind === 'valid' || reply.kind === 'invalid', 'a validation ends in a verdict');
  return reply.kind === 'valid' ? reply : { kind: 'invalid', violations: reply.violations };
}

function closedError(): ValidatorClosedError {
  return new ValidatorClosedError('the validator is closed');
}
