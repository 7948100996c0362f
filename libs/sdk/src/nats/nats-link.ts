import { connect, errors } from '@nats-io/transport-node';
import type {
  NatsConnection,
  NodeConnectionOptions,
  Server,
  Status,
  Subscription,
} from '@nats-io/transport-node';
import type { Rng, Timer, TimerHandle } from '@pawl/kernel';
import { Backoff } from '../backoff.js';
import { messageOf, PawlError } from '../errors.js';
import type { Link, LinkMessage, LinkState } from '../ports.js';

export interface NatsLinkOptions {
  readonly connection: NodeConnectionOptions;
  readonly timer: Timer;
  readonly rng: Rng;
}

interface Wanted {
  readonly subject: string;
  readonly onMessage: (data: Uint8Array) => void;
  live: Subscription | null;
}

/** A first attempt, or one of a reconnect. */
const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 3_000;
/** A connection that does not answer two of these is taken for broken. */
const PING_INTERVAL_MS = 10_000;
const RETRY = { baseMs: 100, capMs: 5_000 };
/** Statuses of a direct get's reply, JetStream API. */
const NOT_FOUND = 404;

/**
 * {@link Link} over one NATS connection. The client itself gives up when the first attempt fails, so
 * that one is repeated here for ever; later ones are the client's own, endless, with jitter.
 */
export class NatsLink implements Link {
  readonly #options: NatsLinkOptions;
  readonly #wanted = new Set<Wanted>();
  readonly #stateListeners = new Set<(state: LinkState) => void>();
  readonly #problemListeners = new Set<(problem: PawlError) => void>();
  readonly #backoff: Backoff;
  #state: LinkState = 'connecting';
  #connection: NatsConnection | null = null;
  #retry: TimerHandle | null = null;
  /** Of the last attempt; told already. */
  #failure: PawlError | null = null;

  constructor(options: NatsLinkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.rng, RETRY);
    void this.#connect();
  }

  get state(): LinkState {
    return this.#state;
  }

  get trouble(): string | null {
    if (this.#state === 'up') return null;
    const servers = [this.#options.connection.servers ?? []].flat().join(', ');
    const why = this.#failure === null ? ' yet' : `: ${this.#failure.message}`;
    return `NATS at ${servers} is not reached${why}`;
  }

  onState(listener: (state: LinkState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => void this.#stateListeners.delete(listener);
  }

  onProblem(listener: (problem: PawlError) => void): void {
    this.#problemListeners.add(listener);
  }

  subscribe(subject: string, onMessage: (data: Uint8Array) => void): () => void {
    const wanted: Wanted = { subject, onMessage, live: null };
    this.#wanted.add(wanted);
    this.#subscribe(wanted);
    return () => {
      this.#wanted.delete(wanted);
      wanted.live?.unsubscribe();
      wanted.live = null;
    };
  }

  async flush(): Promise<void> {
    await this.#live().flush();
  }

  async directGet(stream: string, subject: string): Promise<LinkMessage | undefined> {
    const request = `$JS.API.DIRECT.GET.${stream}.${subject}`;
    const reply = await this.#live().request(request, undefined, { timeout: REQUEST_TIMEOUT_MS });
    const code = reply.headers?.code ?? 0;
    if (code === NOT_FOUND) return undefined;
    if (code !== 0) throw new Error(`direct get: ${code} ${reply.headers?.description ?? ''}`);
    const { data, headers } = reply;
    return { data, header: (name) => headers?.get(name) ?? '' };
  }

  async request(subject: string, payload: string): Promise<Uint8Array> {
    const reply = await this.#live().request(subject, payload, { timeout: REQUEST_TIMEOUT_MS });
    return reply.data;
  }

  publish(subject: string, payload: string): boolean {
    if (this.#state !== 'up' || this.#connection === null) return false;
    try {
      this.#connection.publish(subject, payload);
      return true;
    } catch (thrown) {
      this.#report(new PawlError('connection-failed', messageOf(thrown), { cause: thrown }));
      return false;
    }
  }

  async close(): Promise<void> {
    this.#retry?.cancel();
    this.#move('closed');
    this.#stateListeners.clear();
    this.#problemListeners.clear();
    await this.#connection?.close();
  }

  /** While down the client would buffer without bound, so nothing is handed to it then. */
  #live(): NatsConnection {
    if (this.#state !== 'up' || this.#connection === null) throw new Error('not connected');
    return this.#connection;
  }

  async #connect(): Promise<void> {
    this.#retry = null;
    let connection;
    try {
      connection = await connect(this.#connectionOptions());
    } catch (thrown) {
      if (this.#state === 'closed') return;
      this.#reportAttempt(thrown);
      this.#move('down');
      this.#retry = this.#options.timer.after(this.#backoff.nextMs(), () => void this.#connect());
      return;
    }
    if (this.#state === 'closed') await connection.close();
    else this.#adopt(connection);
  }

  #connectionOptions(): NodeConnectionOptions {
    return {
      ...this.#options.connection,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_INTERVAL_MS,
      reconnect: true,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      noAsyncTraces: true,
      reconnectDelayHandler: () => RETRY.baseMs * (0.5 + this.#options.rng.next()),
      reconnectToServer: (pool) => this.#spreadReconnect(pool),
    };
  }

  /** The client's first redial would be immediate, for a whole fleet at once. */
  #spreadReconnect(pool: readonly Server[]): { server: Server; delay: number } | null {
    const [server] = pool;
    if (this.#connection === null || server === undefined) return null;
    return { server, delay: Math.round(this.#backoff.nextMs()) };
  }

  #adopt(connection: NatsConnection): void {
    this.#connection = connection;
    this.#backoff.reset();
    for (const wanted of this.#wanted) this.#subscribe(wanted);
    void this.#follow(connection);
    this.#move('up');
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) this.#onStatus(status);
    if (this.#state === 'closed' || this.#connection !== connection) return;
    this.#connection = null;
    for (const wanted of this.#wanted) wanted.live = null;
    this.#move('down');
    this.#retry = this.#options.timer.after(this.#backoff.nextMs(), () => void this.#connect());
  }

  #onStatus(status: Status): void {
    if (this.#state === 'closed') return;
    if (status.type === 'disconnect') this.#move('down');
    if (status.type === 'reconnect') {
      this.#backoff.reset();
      this.#move('up');
    }
    if (status.type === 'error') this.#reportAttempt(status.error);
  }

  #subscribe(wanted: Wanted): void {
    const connection = this.#connection;
    if (connection === null || connection.isClosed()) return;
    wanted.live = connection.subscribe(wanted.subject, {
      callback: (error, message) => {
        if (error === null) wanted.onMessage(message.data);
      },
    });
  }

  #move(state: LinkState): void {
    if (this.#state === 'closed' || (this.#state === state && state !== 'up')) return;
    this.#state = state;
    if (state === 'up') this.#failure = null;
    for (const listener of [...this.#stateListeners]) listener(state);
  }

  /** The same failure, attempt after attempt, is told once until the link is up again. */
  #reportAttempt(thrown: unknown): void {
    const problem = new PawlError(codeOf(thrown), messageOf(thrown), { cause: thrown });
    const told = this.#failure;
    this.#failure = problem;
    if (told?.code === problem.code && told.message === problem.message) return;
    this.#report(problem);
  }

  #report(problem: PawlError): void {
    for (const listener of this.#problemListeners) listener(problem);
  }
}

function codeOf(thrown: unknown): 'permission-denied' | 'connection-refused' | 'connection-failed' {
  if (thrown instanceof errors.PermissionViolationError) return 'permission-denied';
  if (thrown instanceof errors.AuthorizationError) return 'permission-denied';
  const refused = thrown instanceof Error && thrown.message.includes('connection refused');
  return refused ? 'connection-refused' : 'connection-failed';
}
