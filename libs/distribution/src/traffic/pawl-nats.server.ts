import { NatsContext, Server, Transport } from '@nestjs/microservices';
import type { CustomTransportStrategy, MessageHandler } from '@nestjs/microservices';
import { nuid } from '@nats-io/transport-node';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import {
  FORMAT,
  LIMITS,
  parseJson,
  problem,
  refused,
  subjectsOf,
  utf8Length,
} from '@pawl/contracts';
import type { JsonValue, Outcome, Problem, Subjects } from '@pawl/contracts';
import { settledWithin } from '@pawl/kernel';
import { lastValueFrom } from 'rxjs';
import { DEFAULT_DEADLINE_MS, deadlineIn } from '../commands/command-deadline.js';
import { MAX_MESSAGE_BYTES, MessageJoiner, splitMessage } from '../commands/message-parts.js';
import { describeError, SILENT } from '../connection/logger.js';
import type { DistributionLogger } from '../connection/logger.js';
import { NatsLink } from '../connection/nats-link.js';
import { systemClock, backgroundTimer } from '@pawl/contracts/node';
import { ungated } from './command-gate.port.js';
import type { CommandGate } from './command-gate.port.js';
import type { DropReason, DroppedMessages, TrafficKind } from './dropped-messages.js';
import { PendingRequests } from './pending-requests.js';
import { COMMAND_PATTERN } from './traffic-subject.js';

export interface PawlNatsServerOptions {
  /** As in `DistributionOptions`. */
  readonly servers: string | readonly string[];
  readonly installation: string;
  readonly dropped: DroppedMessages;
  /**
   * Whether this node serves a root: what consumers say of any other is for another node, and is not
   * even parsed. All of them by default.
   */
  readonly serves?: (root: string) => boolean;
  /**
   * While it says yes, the consumers on these subjects are another installation's: heartbeats and acks
   * are neither handled nor answered. Never by default.
   */
  readonly foreign?: () => boolean;
  /** Says when a command may be parsed and done; at once by default. */
  readonly gate?: CommandGate;
  readonly logger?: DistributionLogger;
}

type Listener = () => void;

/** Heartbeats, and as many commands. */
const MAX_PENDING = 2_000;
const REQUEST_MAX_MS = 60_000;
/** Of its caller's deadline; the rest is for the work, and for a refusal to be heard. */
const WAITS_FOR = 3 / 4;
const CLOSE_GRACE_MS = 1_000;
/** Until the server has sent what was on its way, which is a round trip. */
const DRAIN_MS = 500;

/** Bytes of UTF-8 that one UTF-16 code unit takes at most. */
const MAX_UTF8 = 3;
/** Nothing was done: whoever sends it again sends all of it. */
const PARTS_LOST = problem('no-owner', 'a part of the command was lost; send it again');
const OVERLOADED = problem('too-many-requests', 'the owner is busy; slow down');
const TOO_LATE = problem('too-many-requests', 'the owner came to it too late; nothing was done');
const TOO_LONG = problem(
  'too-large',
  `the answer is longer than ${MAX_MESSAGE_BYTES} bytes; ask for less, or ask the node that owns it`,
);

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Nest transport that speaks the contract's JSON itself: what is on the subject is what the handler
 * gets, and what it returns is the reply; `undefined` gives none. Handler patterns are relative to
 * `pawl.<installation>`. Listens before NATS does, and again whenever NATS is back.
 */
export class PawlNatsServer
  extends Server<{ up: Listener; down: Listener }>
  implements CustomTransportStrategy
{
  override readonly transportId = Transport.NATS;
  readonly #subjects: Subjects;
  readonly #log: DistributionLogger;
  readonly #joiner = new MessageJoiner(systemClock, backgroundTimer);
  /** Apart, so that no flood of heartbeats keeps a command from its owner. */
  readonly #pending = {
    hello: new PendingRequests(MAX_PENDING, REQUEST_MAX_MS, systemClock),
    command: new PendingRequests(MAX_PENDING, REQUEST_MAX_MS, systemClock),
  };
  #link: NatsLink | undefined;
  #connection: NatsConnection | undefined;
  #subscriptions: Subscription[] = [];
  /** Subscription (none while there is no connection) by subject of a claimed shard. */
  readonly #claims = new Map<string, Subscription | undefined>();
  readonly #listeners = { up: new Set<Listener>(), down: new Set<Listener>() };

  constructor(private readonly options: PawlNatsServerOptions) {
    super();
    this.#subjects = subjectsOf(options.installation);
    this.#log = options.logger ?? SILENT;
  }

  /** Calls back once it listens, or, while NATS is down, after the first attempt. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      const { value: link, attempted } = NatsLink.start({
        servers: this.options.servers,
        name: `pawl ${this.options.installation} traffic`,
        logger: this.#log,
      });
      this.#link = link;
      link.observe({
        opened: (connection) => this.#subscribeAll(connection),
        up: () => this.#announce('up'),
        down: () => this.#announce('down'),
      });
      await attempted;
      await link.run((connection) => connection.flush()).catch(() => undefined);
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  /**
   * Takes nothing more but what is on its way here, lets what is being answered be answered for a moment,
   * and closes.
   */
  async close(): Promise<void> {
    const heard = [...this.#subscriptions, ...this.#claims.values()];
    const drained = Promise.all(heard.map(async (subscription) => subscription?.drain()));
    await settledWithin(drained, DRAIN_MS, backgroundTimer);
    const { hello, command } = this.#pending;
    await Promise.all([hello.idle(CLOSE_GRACE_MS), command.idle(CLOSE_GRACE_MS)]);
    this.#joiner.close();
    await this.#link?.close();
  }

  on<Event extends 'up' | 'down'>(event: Event, callback: Listener): void {
    this.#listeners[event].add(callback);
  }

  /** While NATS answers, or last did; none before {@link listen}. */
  get connection(): NatsConnection | undefined {
    return this.#link?.connection;
  }

  /** The `NatsConnection`; throws when NATS never answered. */
  unwrap<T>(): T {
    if (this.#connection === undefined) throw new Error('NATS has not been connected yet');
    return this.#connection as T;
  }

  /**
   * Hears commands for a shard under this token, and no others: a command that nobody owns finds no
   * responder at once.
   */
  claim(shard: number, token: bigint): void {
    const subject = this.#subjects.command(shard, token);
    if (!this.#claims.has(subject)) this.#claims.set(subject, this.#subscribeClaim(subject));
  }

  /** Hears them no more; those that are on their way here are still answered. */
  release(shard: number, token: bigint): void {
    const subject = this.#subjects.command(shard, token);
    this.#claims
      .get(subject)
      ?.drain()
      .catch(() => undefined);
    this.#claims.delete(subject);
  }

  #announce(event: 'up' | 'down'): void {
    this._status$.next(event === 'up' ? 'connected' : 'disconnected');
    for (const listener of this.#listeners[event]) listener();
  }

  #subscribeAll(connection: NatsConnection): void {
    this.#connection = connection;
    this.#subscriptions = [];
    for (const [pattern, handler] of this.messageHandlers) {
      if (pattern === COMMAND_PATTERN) continue;
      const subject = `${this.#subjects.prefix}.${pattern}`;
      this.#subscriptions.push(this.#subscribe(connection, subject, handler));
    }
    for (const subject of this.#claims.keys()) {
      this.#claims.set(subject, this.#subscribeClaim(subject));
    }
  }

  #subscribeClaim(subject: string): Subscription | undefined {
    const handler = this.messageHandlers.get(COMMAND_PATTERN);
    if (handler === undefined) return undefined;
    if (this.#connection === undefined || this.#connection.isClosed()) return undefined;
    return this.#subscribe(this.#connection, subject, handler);
  }

  #subscribe(connection: NatsConnection, subject: string, handler: MessageHandler): Subscription {
    const kind = subject.slice(this.#subjects.prefix.length + 1).split('.')[0] as TrafficKind;
    return connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) {
          this.#log.error({ subject, error: describeError(error) }, 'NATS refuses a subscription');
          return;
        }
        if (kind === 'command') void this.#handleCommand(handler, message);
        else if (this.#isForUs(message)) this.#handleTraffic(handler, kind, message);
      },
    });
  }

  /** Of a consumer of this installation, about a root that this node serves. */
  #isForUs({ subject }: Msg): boolean {
    const { foreign, serves } = this.options;
    if (foreign?.() === true) return false;
    return serves === undefined || serves(rootIn(subject));
  }

  #handleTraffic(handler: MessageHandler, kind: TrafficKind, message: Msg): void {
    const data = this.#parse(kind, message);
    if (data === undefined) return;
    const received = { kind, message, json: data.json };
    if (handler.isEventHandler === true) void this.#handleEvent(handler, received);
    else void this.#handleRequest(handler, received);
  }

  /** One that may come in parts, nothing being undone by a missing one, and waits as it was sent. */
  async #handleCommand(handler: MessageHandler, message: Msg): Promise<void> {
    const joined = this.#joiner.add(message);
    if (joined.kind === 'part') return;
    if (joined.kind === 'broken') return this.#refuse(message, 'malformed', PARTS_LOST);
    const request = this.#pending.command.begin();
    if (request === undefined) return this.#refuse(message, 'overloaded', OVERLOADED);
    const { data } = joined;
    const deadlineMs = deadlineIn(message.headers) ?? DEFAULT_DEADLINE_MS;
    const untilMs = systemClock.monotonicMs() + deadlineMs;
    const { gate = ungated } = this.options;
    try {
      const refusal = await gate.run({ bytes: data.length, waitMs: deadlineMs * WAITS_FOR }, () =>
        this.#doCommand(handler, { message, data, untilMs }),
      );
      if (refusal !== undefined) this.#refuse(message, 'overloaded', refusal);
    } catch (error) {
      this.#failed('command', message, error);
    } finally {
      this.#pending.command.end(request);
    }
  }

  async #doCommand(
    handler: MessageHandler,
    of: { readonly message: Msg; readonly data: Uint8Array; readonly untilMs: number },
  ): Promise<void> {
    const { message, data, untilMs } = of;
    // Whoever sent it has given it up, and may have sent it again.
    if (systemClock.monotonicMs() >= untilMs) return this.#refuse(message, 'overloaded', TOO_LATE);
    const parsed = parseCommand(data);
    if (!parsed.ok) return this.#refuse(message, 'malformed', parsed.problem);
    respond(message, await this.#answer(handler, message, parsed.value));
  }

  #refuse(message: Msg, reason: DropReason, refusal: Problem): void {
    const { subject } = message;
    this.options.dropped.drop('command', reason, () => ({ subject, reason: refusal.detail }));
    respond(message, { format: FORMAT, ok: false, problem: refusal });
  }

  /** The message's JSON in a box; `undefined` once it is dropped. */
  #parse(kind: TrafficKind, { subject, data }: Msg): { readonly json: unknown } | undefined {
    const bytes = data.length;
    if (bytes > LIMITS.trafficBytes) {
      this.options.dropped.drop(kind, 'oversized', () => ({ subject, bytes }));
      return undefined;
    }
    try {
      return { json: JSON.parse(utf8.decode(data)) as unknown };
    } catch (error) {
      const reason = describeError(error);
      this.options.dropped.drop(kind, 'malformed', () => ({ subject, bytes, reason }));
      return undefined;
    }
  }

  async #handleEvent(handler: MessageHandler, received: Received): Promise<void> {
    const { kind, message, json } = received;
    try {
      await handler(json, contextOf(message));
    } catch (error) {
      this.#failed(kind, message, error);
    }
  }

  async #handleRequest(handler: MessageHandler, received: Received): Promise<void> {
    const { kind, message, json } = received;
    const request = this.#pending.hello.begin();
    if (request === undefined) {
      this.options.dropped.drop(kind, 'overloaded', () => ({ subject: message.subject }));
      return;
    }
    try {
      const reply = await this.#answer(handler, message, json);
      // Nodes put parts together again; a consumer takes the first message for the whole.
      if (reply !== undefined) message.respond(JSON.stringify(reply));
    } catch (error) {
      this.#failed(kind, message, error);
    } finally {
      this.#pending.hello.end(request);
    }
  }

  async #answer(handler: MessageHandler, message: Msg, json: unknown): Promise<unknown> {
    const result: unknown = await handler(json, contextOf(message));
    return lastValueFrom(this.transformToObservable(result));
  }

  #failed(kind: TrafficKind, { subject }: Msg, error: unknown): void {
    this.options.dropped.drop(kind, 'failed', () => ({ subject, error: describeError(error) }));
  }
}

/** Answers a command, in parts if that is long; what is longer than can be sent is refused instead. */
function respond(message: Msg, reply: unknown): void {
  const text = JSON.stringify(reply);
  const fits = text.length * MAX_UTF8 <= MAX_MESSAGE_BYTES || utf8Length(text) <= MAX_MESSAGE_BYTES;
  const sent = fits ? text : JSON.stringify({ format: FORMAT, ok: false, problem: TOO_LONG });
  for (const { data, headers } of splitMessage(sent, nuid.next())) {
    message.respond(data, headers && { headers });
  }
}

/** Strictly, as a document that arrives by REST: it is the same document. */
function parseCommand(data: Uint8Array): Outcome<JsonValue> {
  let text: string;
  try {
    text = utf8.decode(data);
  } catch (error) {
    return refused('malformed-json', describeError(error));
  }
  return parseJson(text, { maxDepth: LIMITS.messageDepth });
}

/** In `pawl.<installation>.<kind>.<root>.…`. */
function rootIn(subject: string): string {
  return subject.split('.', 4)[3] ?? '';
}

interface Received {
  readonly kind: TrafficKind;
  readonly message: Msg;
  readonly json: unknown;
}

function contextOf(message: Msg): NatsContext {
  return new NatsContext([message.subject, message.headers]);
}
