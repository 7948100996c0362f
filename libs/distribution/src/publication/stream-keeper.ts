import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { describeError } from '../connection/logger.js';
import type { DistributionLogger } from '../connection/logger.js';
import type { NatsLink } from '../connection/nats-link.js';
import type { JetStreamAccess } from './jetstream-access.js';
import { mayBeMissingStream, unavailable } from './jetstream-access.js';
import { provideStreams, SETTLE_MS } from './provide-streams.js';
import type { WantedStreams } from './stream-config.js';
import { shortOfCopies, wantedCopies } from './stream-copies.js';
import type { ProvidedStream } from './stream-copies.js';
import { ForeignStreamError, StreamSetupError } from './stream-setup-error.js';

/** Pause before a failed check is repeated. */
const RECHECK_MS = 1_000;
/** Pause before streams are raised to as many copies as wanted once more. */
const RAISE_MS = 5_000;
/** One per stream that may go missing meanwhile, and one. */
const RUN_ATTEMPTS = 3;
const OLDEST_SERVER = [2, 9] as const;

interface StreamKeeperOptions {
  readonly link: NatsLink;
  readonly access: JetStreamAccess;
  readonly wanted: WantedStreams;
  /** Copies of each stream; when not given as many as fit the server, see `wantedCopies`. */
  readonly copies: number | undefined;
  /** `<name>/<id>`: whose the streams are to be. */
  readonly installation: string;
  /** `<name>/<id>` of an installation that is gone for good: its streams are emptied and taken. */
  readonly adopt: string | undefined;
  readonly logger: DistributionLogger;
}

/**
 * Sees to it that the streams exist and are configured as wanted: whenever the link comes up, when
 * the server announces that one was deleted or changed, and when a call finds one missing. Knows a
 * stream by its time of creation, so that one which was deleted and made anew is not taken for the
 * old one, and by its description as ours: nothing is read from or written to another's.
 */
export class StreamKeeper {
  /** Time of creation by stream name, as of the last check. */
  readonly #created = new Map<string, string>();
  #ready = false;
  /** Why the last check failed although JetStream answers. */
  #problem: StreamSetupError | undefined;
  /** The failure that was logged last, until there is none. */
  #logged = '';
  #shortOfCopies: string | null = null;
  /** Until the first success: streams that are taken from a running process are not taken back. */
  #adopt: string | undefined;
  /** The next successful check is a restoration: it follows a time without streams. */
  #interrupted: boolean;
  /** Grows whenever a stream was found to be another one than before. */
  #rebuilds = 0;
  #checking: Promise<void> | undefined;
  #checkAgain = false;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #advisories: Subscription[] = [];
  readonly #restored = new Set<() => void>();
  readonly #unobserve: () => void;

  constructor(private readonly options: StreamKeeperOptions) {
    this.#interrupted = !options.link.connected;
    this.#adopt = options.adopt;
    this.#unobserve = options.link.observe({
      opened: (connection) => this.#watch(connection),
      up: () => this.#check(),
      down: () => this.#lost(),
    });
  }

  /** The link is up, and the streams were there and right when last looked at. */
  get ready(): boolean {
    return this.#ready;
  }

  /** What somebody has to see to before the streams can be used. */
  get problem(): StreamSetupError | undefined {
    return this.#problem;
  }

  /** Why the death of one NATS server may stop all publication; `null`: as far as is known it may not. */
  get shortOfCopies(): string | null {
    return this.#shortOfCopies;
  }

  /** Whether the streams are known to be another installation's. */
  get foreign(): boolean {
    return this.#problem instanceof ForeignStreamError;
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
   * Runs a call once the streams are known to be ours; when they were found missing and were made
   * anew, runs it again. All that fails is unavailable.
   */
  async run<T>(doing: string, work: () => Promise<T>): Promise<T> {
    if (this.#problem !== undefined) throw unavailable(doing, this.#problem);
    if (!this.#ready) await this.#ensureFor(doing);
    for (let attempt = 1; ; attempt += 1) {
      const rebuildsBefore = this.#rebuilds;
      try {
        return await work();
      } catch (error) {
        if (attempt === RUN_ATTEMPTS || !mayBeMissingStream(error)) throw unavailable(doing, error);
        await this.#ensureFor(doing);
        if (this.#rebuilds === rebuildsBefore) throw unavailable(doing, error);
      }
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#unobserve();
    for (const subscription of this.#advisories) subscription.unsubscribe();
  }

  async #ensureFor(doing: string): Promise<void> {
    await this.ensure().catch((reason: unknown) => {
      throw unavailable(doing, reason);
    });
  }

  /** The server announces a stream that is deleted or changed, by whomever. */
  #watch(connection: NatsConnection): void {
    const { snapshots, contents } = this.options.wanted;
    const deleted = (): void => {
      this.#lost();
      this.#checkIn(SETTLE_MS);
    };
    const events = { DELETED: deleted, UPDATED: (): void => this.#check() };
    this.#advisories = [snapshots, contents].flatMap(({ name }) =>
      Object.entries(events).map(([event, heard]) =>
        connection.subscribe(`$JS.EVENT.ADVISORY.STREAM.${event}.${name}`, {
          // The link tells of a subscription that the server refuses.
          callback: (error) => (error === null ? heard() : undefined),
        }),
      ),
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
      const { wanted, installation, logger } = this.options;
      const { access, copies: given } = this.options;
      const found = await access.call('checking the streams', async ({ connection, manager }) => {
        checkServer(connection);
        const existed = (name: string): boolean => this.#created.has(name);
        const adopt = this.#adopt;
        const clustered = connection.info?.cluster !== undefined;
        const copies = wantedCopies(given, clustered);
        const options = { wanted, copies, installation, adopt, existed, logger };
        return { provided: await provideStreams(manager, options), copies, clustered };
      });
      this.#noteCopies(found.provided, { wanted: found.copies, clustered: found.clustered });
      this.#remember(found.provided);
    } catch (error) {
      this.#lost();
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause instanceof StreamSetupError) {
        this.#problem = cause;
        throw this.#failed(cause, 'error');
      }
      throw this.#failed(unavailable('checking the streams', error), 'warn');
    }
  }

  /** Has the check repeated, unless the next `up` will do so. */
  #failed(error: Error, level: 'warn' | 'error'): Error {
    if (!this.#closed && this.options.link.connected) {
      const says = describeError(error);
      if (says !== this.#logged) this.options.logger[level]({}, `JetStream is not ready: ${says}`);
      this.#logged = says;
      this.#checkIn(RECHECK_MS);
    }
    return error;
  }

  #checkIn(ms: number): void {
    if (this.#closed) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#check(), ms);
  }

  /** Has the check repeated while servers are missing that could hold further copies. */
  #noteCopies(
    provided: readonly ProvidedStream[],
    asked: { readonly wanted: number; readonly clustered: boolean },
  ): void {
    const says = shortOfCopies(provided, asked);
    if (says !== null && says !== this.#shortOfCopies) this.options.logger.warn({}, says);
    this.#shortOfCopies = says;
    if (provided.some(({ refusal }) => refusal !== null)) this.#checkIn(RAISE_MS);
  }

  #remember(provided: readonly ProvidedStream[]): void {
    let rebuilt = false;
    for (const {
      info: { config, created },
    } of provided) {
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
    this.#problem = undefined;
    this.#logged = '';
    this.#adopt = undefined;
    if (restored) for (const listener of this.#restored) listener();
  }

  #lost(): void {
    this.#ready = false;
    this.#problem = undefined;
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
