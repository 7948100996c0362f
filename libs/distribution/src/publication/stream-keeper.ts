import { JetStreamApiError } from '@nats-io/jetstream';
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { describeError } from '../connection/logger.js';
import type { DistributionLogger } from '../connection/logger.js';
import type { NatsLink } from '../connection/nats-link.js';
import type { JetStreamAccess } from './jetstream-access.js';
import { isStreamMissing, mayBeMissingStream, unavailable } from './jetstream-access.js';
import { differences } from './stream-config.js';
import type { WantedStream } from './stream-config.js';

/** The streams cannot be as Pawl needs them; somebody has to act. */
export class StreamSetupError extends Error {
  override readonly name = 'StreamSetupError';
}

/** Pause before a failed check is repeated. */
const RECHECK_MS = 1_000;
/**
 * A server that says a stream is deleted still deletes its files for a moment, and takes those of a
 * new stream of the same name with them (nats-server 2.9.10): a stream is not made anew before this.
 */
const SETTLE_MS = 500;
/** One per stream that may go missing meanwhile, and one. */
const RUN_ATTEMPTS = 3;
const OLDEST_SERVER = [2, 9] as const;

interface StreamKeeperOptions {
  readonly link: NatsLink;
  readonly access: JetStreamAccess;
  readonly wanted: readonly WantedStream[];
  readonly logger: DistributionLogger;
}

/**
 * Sees to it that the streams exist and are configured as wanted: whenever the link comes up, when
 * the server announces that one was deleted, and when a call finds one missing. Knows a
 * stream by its time of creation, so that one which was deleted and made anew is not taken for the
 * old one.
 */
export class StreamKeeper {
  /** Time of creation by stream name, as of the last check. */
  readonly #created = new Map<string, string>();
  #ready = false;
  /** The next successful check is a restoration: it follows a time without streams. */
  #interrupted: boolean;
  /** Grows whenever a stream was found to be another one than before. */
  #rebuilds = 0;
  #checking: Promise<void> | undefined;
  #checkAgain = false;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #deletions: Subscription[] = [];
  readonly #restored = new Set<() => void>();
  readonly #unobserve: () => void;

  constructor(private readonly options: StreamKeeperOptions) {
    this.#interrupted = !options.link.connected;
    this.#unobserve = options.link.observe({
      opened: (connection) => this.#watchDeletions(connection),
      up: () => this.#check(),
      down: () => this.#lost(),
    });
  }

  /** The link is up, and the streams were there and right when last looked at. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Calls back after each restoration: caches are void and what was stored may be gone. */
  onRestored(listener: () => void): void {
    this.#restored.add(listener);
  }

  /**
   * Resolves once the streams are there and right. Rejects with a {@link StreamSetupError} when they
   * cannot be, and as unavailable when JetStream does not answer.
   */
  ensure(): Promise<void> {
    this.#checking ??= this.#ensure().finally(() => {
      this.#checking = undefined;
      if (this.#checkAgain) this.#check();
    });
    return this.#checking;
  }

  /**
   * Runs a call; when the streams were found missing and were made anew, runs it again. All that
   * fails is unavailable.
   */
  async run<T>(doing: string, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const rebuildsBefore = this.#rebuilds;
      try {
        return await work();
      } catch (error) {
        if (attempt === RUN_ATTEMPTS || !mayBeMissingStream(error)) throw unavailable(doing, error);
        await this.ensure().catch((reason: unknown) => {
          throw unavailable(doing, reason);
        });
        if (this.#rebuilds === rebuildsBefore) throw unavailable(doing, error);
      }
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#unobserve();
    for (const subscription of this.#deletions) subscription.unsubscribe();
  }

  /** The server announces a stream that is deleted, by whomever. */
  #watchDeletions(connection: NatsConnection): void {
    const callback = (): void => {
      this.#lost();
      this.#checkIn(SETTLE_MS);
    };
    this.#deletions = this.options.wanted.map(({ name }) =>
      connection.subscribe(`$JS.EVENT.ADVISORY.STREAM.DELETED.${name}`, { callback }),
    );
  }

  /** Checks in the background, and again until it succeeds. */
  #check(): void {
    if (this.#closed || !this.options.link.connected) return;
    clearTimeout(this.#retry);
    this.#checkAgain = this.#checking !== undefined;
    if (this.#checkAgain) return;
    this.ensure().catch(() => undefined);
  }

  async #ensure(): Promise<void> {
    try {
      const infos = await this.options.access.call('checking the streams', async (api) => {
        checkServer(api.connection);
        const found: StreamInfo[] = [];
        for (const wanted of this.options.wanted) {
          const existed = this.#created.has(wanted.name);
          found.push(await provide(api.manager, wanted, existed));
        }
        return found;
      });
      this.#remember(infos);
    } catch (error) {
      this.#lost();
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause instanceof StreamSetupError) throw this.#failed(cause, 'error');
      throw this.#failed(unavailable('checking the streams', error), 'warn');
    }
  }

  /** Has the check repeated, unless the next `up` will do so. */
  #failed(error: Error, level: 'warn' | 'error'): Error {
    if (!this.#closed && this.options.link.connected) {
      this.options.logger[level]({ error: describeError(error) }, 'JetStream is not ready');
      this.#checkIn(RECHECK_MS);
    }
    return error;
  }

  #checkIn(ms: number): void {
    if (this.#closed) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#check(), ms);
  }

  #remember(infos: readonly StreamInfo[]): void {
    let rebuilt = false;
    for (const { config, created } of infos) {
      const before = this.#created.get(config.name);
      rebuilt ||= before !== undefined && before !== created;
      this.#created.set(config.name, created);
    }
    if (rebuilt) {
      this.#rebuilds += 1;
      this.options.logger.warn(
        {},
        'a JetStream stream was made anew; what it held is published again',
      );
    }
    const restored = rebuilt || this.#interrupted;
    this.#interrupted = false;
    this.#ready = true;
    if (restored) for (const listener of this.#restored) listener();
  }

  #lost(): void {
    this.#ready = false;
    this.#interrupted = true;
  }
}

function checkServer({ info }: NatsConnection): void {
  const [major = 0, minor = 0] = (info?.version ?? '').split('.').map(Number);
  if (major < OLDEST_SERVER[0] || (major === OLDEST_SERVER[0] && minor < OLDEST_SERVER[1])) {
    throw new StreamSetupError(`nats-server ${info?.version} is too old, 2.9 is needed`);
  }
  if (info?.jetstream !== true) {
    throw new StreamSetupError('this nats-server runs without JetStream: start it with -js');
  }
}

/** Makes the stream, or makes an existing one as wanted. */
async function provide(
  manager: JetStreamManager,
  wanted: WantedStream,
  existed: boolean,
): Promise<StreamInfo> {
  try {
    let info = await infoOf(manager, wanted.name);
    if (info === undefined && existed) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      info = await infoOf(manager, wanted.name);
    }
    if (info === undefined) return await manager.streams.add(wanted);
    const wrong = differences(wanted, info.config);
    if (Object.keys(wrong).length === 0) return info;
    return await manager.streams.update(wanted.name, wrong);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.status === 503) throw error;
    throw new StreamSetupError(
      `stream ${wanted.name} cannot be made as Pawl needs it: ${error.message}`,
      { cause: error },
    );
  }
}

function infoOf(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  return manager.streams.info(name).catch((error: unknown) => {
    if (isStreamMissing(error)) return undefined;
    throw error;
  });
}
