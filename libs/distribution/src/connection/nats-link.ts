import { connect } from '@nats-io/transport-node';
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import { DistributionUnavailableError } from '@pawl/engine';
import { settledWithin } from '@pawl/kernel';
import { describeError } from './logger.js';
import type { DistributionLogger } from './logger.js';
import { parseServerList } from './server-list.js';
import { backgroundTimer } from '@pawl/contracts/node';

export interface NatsLinkOptions {
  /** See `parseServerList`. */
  readonly servers: string | readonly string[];
  /** Shown by the server's monitoring. */
  readonly name: string;
  readonly logger: DistributionLogger;
}

/** Told of what happens to a link; a listener must not throw. */
export interface LinkListener {
  /** A new connection object: subscriptions must be made on it (they survive its reconnects). */
  opened?(connection: NatsConnection): void;
  /** The server answers: after a first connect and after each reconnect. */
  up?(): void;
  /** The server is gone; {@link NatsLink.run} refuses until the next `up`. */
  down?(): void;
}

/** A first connect or a reconnect is tried after this time plus up to as much again, for ever. */
const RETRY_MS = 250;
const HANDSHAKE_TIMEOUT_MS = 5_000;
/** A peer that is silent for three of these is taken for dead. */
const PING_INTERVAL_MS = 10_000;
const MAX_PINGS_OUT = 2;
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * A connection to NATS that is tried for ever in the background: first connect, reconnect, and anew
 * should the client ever give up. Exists before the server does.
 */
export class NatsLink {
  #connection: NatsConnection | undefined;
  #up = false;
  #closed = false;
  #wake: (() => void) | undefined;
  /** One rejection per running {@link run}; at most as many as callers wait. */
  readonly #running = new Set<(error: Error) => void>();
  readonly #listeners = new Set<LinkListener>();
  readonly #loop: Promise<void>;

  private constructor(
    private readonly options: NatsLinkOptions,
    firstAttempt: () => void,
  ) {
    const server = connectionOptions(options);
    this.#loop = this.#keepConnected(server, firstAttempt);
  }

  /**
   * Resolves after the first attempt to connect, whether or not it succeeded. Rejects with a
   * TypeError for a malformed server list.
   */
  static async open(options: NatsLinkOptions): Promise<NatsLink> {
    const link = NatsLink.start(options);
    await link.attempted;
    return link.value;
  }

  /** As {@link open}, without waiting; `attempted` resolves after the first attempt. */
  static start(options: NatsLinkOptions): { value: NatsLink; attempted: Promise<void> } {
    let firstAttempt = (): void => undefined;
    const attempted = new Promise<void>((resolve) => (firstAttempt = resolve));
    return { value: new NatsLink(options, firstAttempt), attempted };
  }

  /** Whether the server answered last. */
  get connected(): boolean {
    return this.#up;
  }

  /** The connection while {@link connected}. */
  get connection(): NatsConnection | undefined {
    return this.#up ? this.#connection : undefined;
  }

  /** Calls `opened` and `up` at once when that has happened already. Answers how to stop. */
  observe(listener: LinkListener): () => void {
    this.#listeners.add(listener);
    if (this.#connection !== undefined) listener.opened?.(this.#connection);
    if (this.#up) listener.up?.();
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Runs work on the connection. Throws {@link DistributionUnavailableError} when the link is down,
   * and rejects with it as soon as it goes down: the work may then have had its effect or not.
   */
  run<T>(work: (connection: NatsConnection) => Promise<T>): Promise<T> {
    const connection = this.connection;
    if (connection === undefined) {
      return Promise.reject(new DistributionUnavailableError('NATS is not connected'));
    }
    return new Promise<T>((resolve, reject) => {
      this.#running.add(reject);
      work(connection)
        .then(resolve, reject)
        .finally(() => this.#running.delete(reject));
    });
  }

  /** Flushes what was published and closes; resolves within three seconds whatever is down. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    const connection = this.#connection;
    if (connection !== undefined) {
      if (this.#up) await settledWithin(connection.flush(), CLOSE_TIMEOUT_MS, backgroundTimer);
      await settledWithin(connection.close(), CLOSE_TIMEOUT_MS, backgroundTimer);
      await settledWithin(this.#loop, CLOSE_TIMEOUT_MS, backgroundTimer);
    }
    this.#goDown();
    this.#listeners.clear();
  }

  async #keepConnected(server: NodeConnectionOptions, firstAttempt: () => void): Promise<void> {
    let failures = 0;
    while (!this.#closed) {
      const connection = await connect(server).catch((error: unknown) => {
        this.#reportFailure(error, (failures += 1));
        return undefined;
      });
      if (connection === undefined) {
        firstAttempt();
        await this.#pause();
        continue;
      }
      if (this.#closed) {
        await settledWithin(connection.close(), CLOSE_TIMEOUT_MS, backgroundTimer);
        break;
      }
      failures = 0;
      this.#connection = connection;
      for (const listener of this.#listeners) listener.opened?.(connection);
      this.#goUp();
      firstAttempt();
      await this.#follow(connection);
      this.#goDown();
      this.#connection = undefined;
    }
    firstAttempt();
  }

  /** Resolves when the connection object is closed for good. */
  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      switch (status.type) {
        case 'disconnect':
          this.#goDown();
          break;
        case 'reconnect':
          this.#goUp();
          break;
        case 'error':
          this.options.logger.warn({ error: status.error.message }, 'NATS reports an error');
          break;
        default:
          break;
      }
    }
    const reason = await connection.closed();
    if (!this.#closed) {
      this.options.logger.warn({ error: describeError(reason) }, 'NATS connection closed');
    }
  }

  #goUp(): void {
    if (this.#up) return;
    this.#up = true;
    this.options.logger.info(
      { server: this.#connection?.getServer(), version: this.#connection?.info?.version },
      'NATS is connected',
    );
    for (const listener of this.#listeners) listener.up?.();
  }

  #goDown(): void {
    if (!this.#up) return;
    this.#up = false;
    if (!this.#closed) this.options.logger.warn({}, 'NATS is disconnected');
    const lost = new DistributionUnavailableError('NATS went away before it answered');
    for (const reject of [...this.#running]) reject(lost);
    this.#running.clear();
    for (const listener of this.#listeners) listener.down?.();
  }

  #reportFailure(error: unknown, failures: number): void {
    const level = failures === 1 ? 'warn' : 'debug';
    this.options.logger[level](
      { error: describeError(error), failures },
      'NATS does not answer, trying on',
    );
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, retryDelayMs());
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function retryDelayMs(): number {
  return RETRY_MS * (1 + Math.random());
}

function connectionOptions(options: NatsLinkOptions): NodeConnectionOptions {
  return {
    ...parseServerList(options.servers),
    name: options.name,
    timeout: HANDSHAKE_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: retryDelayMs,
    // A server whose accounts are being changed refuses for a while; that must not be the end.
    ignoreAuthErrorAbort: true,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
    // Otherwise each request captures a stack trace.
    noAsyncTraces: true,
  };
}
