import type { Clock, Timer } from '@pawl/kernel';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { Refusal } from '../state/index.js';
import { EtcdEndpoint, channelCredentials } from './etcd-endpoint.js';
import type { EtcdTls } from './etcd-endpoint.js';
import { judgeFailure } from './judge-failure.js';
import type { EtcdMethod } from './etcd-method.js';

export interface EtcdClientOptions {
  /** `host:port` of the cluster's members, all of them or some. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  readonly timer: Timer;
  readonly tls?: EtcdTls;
  /** Of a call in all, attempts at other members included; 5 s by default. */
  readonly callTimeoutMs?: number;
}

/**
 * What a second attempt would do: `none`, a read changes nothing; `same`, doing it twice is as good
 * as once; `more`, it must not be done twice.
 */
export type Again = 'none' | 'same' | 'more';

/** The cluster looked at a request and changed nothing. */
export class EtcdRefusal extends Error {
  override readonly name = 'EtcdRefusal';
  constructor(
    readonly refusal: Refusal,
    options: ErrorOptions,
  ) {
    super(refusal, options);
  }
}

const CALL_TIMEOUT_MS = 5_000;
/** Of the time of a call that may be tried again, so much for one attempt: another member has some left. */
const ATTEMPT_SHARE = 0.4;
const CONNECT_MS = 2_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Talks to one member of an etcd cluster at a time, and to the next one once that fails. After a
 * round of all members without success it pauses, longer each time.
 */
export class EtcdClient {
  readonly #endpoints: readonly EtcdEndpoint[];
  readonly #options: EtcdClientOptions;
  readonly #timeoutMs: number;
  #current = 0;
  #closed = false;

  constructor(options: EtcdClientOptions) {
    const security = channelCredentials(options.tls);
    this.#options = options;
    this.#timeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    this.#endpoints = options.endpoints.map(
      (address) => new EtcdEndpoint(address, security, options.timer),
    );
    if (this.#endpoints.length === 0) throw new TypeError('an etcd cluster has an endpoint');
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * One request and its answer. Rejects with {@link EtcdRefusal}, or with
   * {@link MetadataUnavailableError} when no member answers in time, or when one may have done it.
   */
  call<Answer>(method: EtcdMethod, request: unknown, again: Again): Promise<Answer> {
    return this.#attempt(again, (endpoint, withinMs) => {
      const unary = !method.requestStream && !method.responseStream;
      return unary
        ? endpoint.call<Answer>(method, request, withinMs)
        : endpoint.ask<Answer>(method, request, withinMs);
    });
  }

  /** A member that is connected; rejects with {@link MetadataUnavailableError} when none is. */
  async connected(withinMs = this.#timeoutMs): Promise<EtcdEndpoint> {
    const untilMs = this.#now + withinMs;
    for (let failed = 0; ;) {
      const endpoint = this.#chosen();
      const leftMs = untilMs - this.#now;
      if (await endpoint.connect(Math.min(leftMs, CONNECT_MS))) return endpoint;
      this.avoid(endpoint);
      failed += 1;
      const more = !this.#closed && (await this.#pauseAfter(failed, untilMs));
      if (!more) throw this.#unavailable('no', 'not connected');
    }
  }

  /** The next call goes to another member, if there is one. */
  avoid(endpoint: EtcdEndpoint): void {
    if (this.#endpoints[this.#current] === endpoint) {
      this.#current = (this.#current + 1) % this.#endpoints.length;
    }
  }

  /** Resolves after `ms`, or a little earlier. */
  pause(ms: number): Promise<void> {
    const jittered = ms * (1 - Math.random() / 4);
    return new Promise((resolve) => this.#options.timer.after(jittered, resolve));
  }

  /** Ends calls under way; those to come are refused. */
  close(): void {
    this.#closed = true;
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  get #now(): number {
    return this.#options.clock.monotonicMs();
  }

  #chosen(): EtcdEndpoint {
    const endpoint = this.#endpoints[this.#current];
    if (this.#closed || endpoint === undefined) throw this.#unavailable('no', 'closed');
    return endpoint;
  }

  async #attempt<Answer>(
    again: Again,
    work: (endpoint: EtcdEndpoint, withinMs: number) => Promise<Answer>,
  ): Promise<Answer> {
    const untilMs = this.#now + this.#timeoutMs;
    const attemptMs = this.#timeoutMs * (again === 'more' ? 1 : ATTEMPT_SHARE);
    let done: 'no' | 'unknown' = 'no';
    for (let failed = 0; ;) {
      const endpoint = await this.connected(untilMs - this.#now).catch((error: Error) => {
        throw done === 'no' ? error : this.#unavailable(done, error);
      });
      try {
        return await work(endpoint, Math.min(attemptMs, untilMs - this.#now));
      } catch (error) {
        const judgement = judgeFailure(error);
        if (judgement.kind === 'refused')
          throw new EtcdRefusal(judgement.refusal, { cause: error });
        if (judgement.done === 'unknown' && again !== 'none') done = 'unknown';
        this.avoid(endpoint);
        failed += 1;
        const may = !this.#closed && (again !== 'more' || done === 'no');
        const more = may && (await this.#pauseAfter(failed, untilMs));
        if (!more) throw this.#unavailable(done, error);
      }
    }
  }

  /**
   * Waits once every member has failed. False: no time is left, or would be after that. An attempt
   * that is begun at the last moment is cut off, and then it is not known what became of it.
   */
  async #pauseAfter(failed: number, untilMs: number): Promise<boolean> {
    if (failed % this.#endpoints.length !== 0) return this.#now < untilMs;
    const rounds = failed / this.#endpoints.length;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (rounds - 1), LONGEST_PAUSE_MS);
    if (this.#now + pauseMs >= untilMs) return false;
    await this.pause(pauseMs);
    return true;
  }

  #unavailable(done: 'no' | 'unknown', cause: unknown): MetadataUnavailableError {
    const addresses = this.#options.endpoints.join(', ');
    const why = cause instanceof Error ? cause.message : String(cause);
    return new MetadataUnavailableError(`etcd at ${addresses} does not answer: ${why}`, done, {
      cause,
    });
  }
}
