import { createRequire } from 'node:module';
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';

import { LruMap } from '../lru-map.js';
import type { WorkerReply, WorkerRequest } from './protocol.js';

/**
 * The built worker, also when this file is run from its source (tests) or in a bundle: threads of
 * Node 20 load no TypeScript. `tsc -b libs/validation` makes it. Flags of this process are not passed
 * on: they may lead imports to sources.
 */
const entry = (): string => createRequire(import.meta.url).resolve('@pawl/validation/worker');

/** Compiled schemas that one worker keeps: about 100 bytes of heap for each of their text. */
const MAX_SCHEMAS = 64;
const MAX_SCHEMA_CHARACTERS = 1024 * 1024;

/** Generated code nests and recurses; the default of 4 is soon used up by it. */
const STACK_MB = 8;

/** The work was stopped, and its worker with it. */
export interface CutOff {
  readonly kind: 'cut-off';
  readonly reason: 'deadline' | 'memory';
  readonly afterMs: number;
  /** A reply that was not final yet. */
  readonly partial: WorkerReply | undefined;
}

interface Waiting {
  readonly resolve: (reply: WorkerReply | CutOff) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
  readonly startedAtMs: number;
  partial: WorkerReply | undefined;
}

/** One thread that answers one request at a time. An idle one does not keep the process alive. */
export class PoolWorker {
  /** Resolves when the thread is gone. */
  readonly exited: Promise<void>;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #schemas = new LruMap<true>(MAX_SCHEMAS, MAX_SCHEMA_CHARACTERS);
  #waiting: Waiting | undefined;
  #ended = false;

  constructor(memoryMb: number) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(entry(), {
      name: 'pawl-validation',
      execArgv: [],
      workerData: { port: port2 },
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: memoryMb, stackSizeMb: STACK_MB },
    });
    this.exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#port.on('message', (reply: WorkerReply) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`it exited with code ${code}`)));
    this.#port.unref();
    this.#worker.unref();
  }

  /** No request can be sent any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Other schemas than `hash` are kept, and may be what fills the memory. */
  keepsOthers(hash: string): boolean {
    return this.#schemas.count > (this.#schemas.has(hash) ? 1 : 0);
  }

  /** Marks the schema as used. */
  has(hash: string): boolean {
    return this.#schemas.get(hash) === true;
  }

  /** The schema was compiled here; what it displaces is dropped in the worker as well. */
  keep(hash: string, characters: number): void {
    this.forget(this.#schemas.set(hash, true, characters));
  }

  forget(hashes: readonly string[]): void {
    for (const hash of hashes) this.#schemas.delete(hash);
    if (hashes.length > 0 && !this.#ended) this.#send({ kind: 'forget', hashes });
  }

  /**
   * Asks and waits for the final reply. At the deadline, or when the worker runs out of memory, the
   * worker ends and the answer is a {@link CutOff}. Rejects when the worker ends in another way.
   */
  ask(request: WorkerRequest, deadlineMs: number): Promise<WorkerReply | CutOff> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#cutOff('deadline'), deadlineMs);
      const startedAtMs = performance.now();
      this.#waiting = { resolve, reject, timer, startedAtMs, partial: undefined };
      if (this.#ended) this.#fail(new Error('it had ended'));
      else this.#send(request);
    });
  }

  /** Ends the thread, whatever it does. A request that waits is rejected with `reason`. */
  async end(reason: Error): Promise<void> {
    this.#ended = true;
    this.#settle()?.reject(reason);
    this.#port.close();
    await this.#worker.terminate();
    await this.exited;
  }

  #send(request: WorkerRequest): void {
    this.#port.postMessage(request);
  }

  #receive(reply: WorkerReply): void {
    if (this.#waiting === undefined) return;
    if (reply.kind === 'invalid' && !reply.final) this.#waiting.partial = reply;
    else this.#settle()?.resolve(reply);
  }

  /** A reply may have come while this thread was busy: it counts. */
  #drain(): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined;) {
      this.#receive(next.message as WorkerReply);
      next = receiveMessageOnPort(this.#port);
    }
  }

  #cutOff(reason: CutOff['reason']): void {
    this.#drain();
    const waiting = this.#settle();
    if (waiting === undefined) return;
    const afterMs = Math.round(performance.now() - waiting.startedAtMs);
    waiting.resolve({ kind: 'cut-off', reason, afterMs, partial: waiting.partial });
    void this.end(new Error('it was cut off'));
  }

  #fail(error: Error & { readonly code?: unknown }): void {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') return this.#cutOff('memory');
    this.#ended = true;
    this.#port.close();
    const failure = new Error(`a validation worker failed: ${error.message}`, { cause: error });
    this.#settle()?.reject(failure);
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    if (waiting !== undefined) clearTimeout(waiting.timer);
    this.#waiting = undefined;
    return waiting;
  }
}
