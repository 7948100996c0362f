import type { ProcessTime } from '../../../libs/metadata/src/testing/process-time.js';
import type { Wire } from './wire.js';

/** NATS did not answer: the connection is down, or the answer was lost. */
export class NatsSilentError extends Error {
  override readonly name = 'NatsSilentError';
  constructor(
    message: string,
    /** Surely nothing was sent. */
    readonly unsent: boolean,
  ) {
    super(message);
  }
}

/** Nobody listens on the subject. */
export class NoRespondersError extends Error {
  override readonly name = 'NoRespondersError';
}

export interface StoredMessage {
  readonly sequence: number;
  readonly data: string;
}

/** A stream that keeps the last message of each subject. */
export class SimulatedStream {
  readonly #messages = new Map<string, StoredMessage>();
  /** What the last one took the place of, and when: replicas may still show it. */
  readonly #former = new Map<
    string,
    { readonly message: StoredMessage | undefined; atMs: number }
  >();
  #last = 0;
  /** What it held when it was deleted last, and when that was. */
  #deleted: { readonly subjects: ReadonlySet<string>; readonly atMs: number } | undefined;

  constructor(private readonly wire: Wire) {}

  get subjects(): string[] {
    return [...this.#messages.keys()];
  }

  newest(subject: string): StoredMessage | undefined {
    return this.#messages.get(subject);
  }

  /** What some replica holds, which may be behind for a while. */
  direct(subject: string, lagMs: number): StoredMessage | undefined {
    const former = this.#former.get(subject);
    const lags = former !== undefined && this.wire.time.monotonicMs() - former.atMs < lagMs;
    return lags && this.wire.chance(0.5) ? former.message : this.#messages.get(subject);
  }

  /** Stores when the subject's last sequence is the expected one; says whether it did. */
  store(subject: string, data: string, expected: number): boolean {
    const held = this.#messages.get(subject);
    if ((held?.sequence ?? 0) !== expected) return false;
    this.#last += 1;
    this.#former.set(subject, { message: held, atMs: this.wire.time.monotonicMs() });
    this.#messages.set(subject, { sequence: this.#last, data });
    return true;
  }

  remove(subject: string, upTo: number): void {
    const held = this.#messages.get(subject);
    if (held !== undefined && held.sequence <= upTo) this.#messages.delete(subject);
  }

  /** Whether the stream was deleted less than so long ago, and held this then. */
  hasLost(subject: string, withinMs: number): boolean {
    const { subjects, atMs = -Infinity } = this.#deleted ?? {};
    return subjects?.has(subject) === true && this.wire.time.monotonicMs() - atMs < withinMs;
  }

  /** The stream is deleted and made anew. */
  clear(): void {
    this.#deleted = { subjects: new Set(this.subjects), atMs: this.wire.time.monotonicMs() };
    this.#messages.clear();
    this.#former.clear();
    this.#last = 0;
  }
}

interface Subscription {
  readonly subject: string;
  readonly connection: NatsConnection;
  readonly onMessage: (message: NatsMessage) => void;
}

export interface NatsMessage {
  readonly subject: string;
  readonly data: string;
  readonly respond?: ((data: string) => void) | undefined;
}

/** Of 1. */
export interface NatsFaults {
  /** Messages that are lost on the way to a subscriber. */
  loss: number;
  /** Requests that arrive again later; what is answered then is heard by nobody. */
  duplication: number;
  /** Answers of JetStream that are lost. */
  lostAcks: number;
  /** For so long after a message was stored, a direct get may show the one before, milliseconds. */
  lagMs: number;
}

/** A NATS server with JetStream. */
export class SimulatedNats {
  readonly snapshots: SimulatedStream;
  readonly contents: SimulatedStream;
  readonly faults: NatsFaults = { loss: 0, duplication: 0, lostAcks: 0, lagMs: 0 };
  readonly #subscriptions = new Set<Subscription>();
  readonly #connections = new Set<NatsConnection>();
  #up = true;

  constructor(readonly wire: Wire) {
    this.snapshots = new SimulatedStream(wire);
    this.contents = new SimulatedStream(wire);
  }

  get up(): boolean {
    return this.#up;
  }

  connect(process: ProcessTime): NatsConnection {
    const connection = new NatsConnection(this, process);
    this.#connections.add(connection);
    return connection;
  }

  /** The process behind it has ended. */
  forget(connection: NatsConnection): void {
    this.#connections.delete(connection);
    for (const each of this.#subscriptions) {
      if (each.connection === connection) this.#subscriptions.delete(each);
    }
  }

  stop(): void {
    this.#up = false;
    for (const connection of this.#connections) connection.broke();
  }

  start(): void {
    this.#up = true;
    for (const connection of this.#connections) connection.tryAgain();
  }

  /** Somebody deletes both streams; who uses them hears of it and makes them anew. */
  deleteStreams(): void {
    this.snapshots.clear();
    this.contents.clear();
    for (const connection of this.#connections) connection.hear('rebuilt');
  }

  subscribe(subscription: Subscription): () => void {
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  /** Answers how many it goes to. */
  deliver(message: NatsMessage): number {
    let count = 0;
    for (const subscription of this.#subscriptions) {
      const { connection, subject, onMessage } = subscription;
      if (!connection.isUp || !matches(subject, message.subject)) continue;
      count += 1;
      const twice = message.respond !== undefined && this.wire.chance(this.faults.duplication);
      this.#carry(connection, () => {
        onMessage(message);
        if (twice) this.#carry(connection, () => onMessage({ ...message, respond: undefined }));
      });
    }
    return count;
  }

  #carry(connection: NatsConnection, deliver: () => void): void {
    if (this.wire.chance(this.faults.loss)) return;
    this.wire.carry(() => {
      if (connection.isUp) connection.process.run(deliver);
    });
  }
}

export type NatsState = 'up' | 'down' | 'rebuilt';

/** A process's connection; reconnects for ever. */
export class NatsConnection {
  #up: boolean;
  #cut = false;
  readonly #listeners = new Set<(state: NatsState) => void>();

  constructor(
    private readonly server: SimulatedNats,
    readonly process: ProcessTime,
  ) {
    this.#up = server.up;
  }

  get isUp(): boolean {
    return this.#up;
  }

  onState(listener: (state: NatsState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** This process alone reaches NATS no more. */
  cut(): void {
    this.#cut = true;
    this.broke();
  }

  heal(): void {
    this.#cut = false;
    this.tryAgain();
  }

  broke(): void {
    if (!this.#up) return;
    this.#up = false;
    this.hear('down');
  }

  tryAgain(): void {
    const { rng } = this.server.wire;
    this.server.wire.later(20 + rng.next() * 500, () => {
      if (this.#up || this.#cut || !this.server.up) return;
      this.#up = true;
      this.hear('up');
    });
  }

  hear(state: NatsState): void {
    this.server.wire.carry(() =>
      this.process.run(() => {
        for (const listener of [...this.#listeners]) listener(state);
      }),
    );
  }

  subscribe(subject: string, onMessage: (message: NatsMessage) => void): () => void {
    return this.server.subscribe({ subject, connection: this, onMessage });
  }

  /** Fire and forget; says whether it was sent. */
  publish(subject: string, data: string): boolean {
    if (!this.#up) return false;
    this.server.wire.carry(() => {
      if (this.server.up) this.server.deliver({ subject, data });
    });
    return true;
  }

  /** The first answer of whoever listens. */
  request(subject: string, data: string, deadlineMs: number): Promise<string> {
    return this.#ask(deadlineMs, (answer, refuse) => {
      const respond = (text: string): void => answer(text);
      if (this.server.deliver({ subject, data, respond }) === 0) {
        refuse(new NoRespondersError(`nobody listens on ${subject}`));
      }
    });
  }

  /** One call of JetStream. */
  call<T>(work: () => T, deadlineMs: number): Promise<T> {
    return this.#ask<T>(deadlineMs, (answer) => {
      const result = work();
      if (!this.server.wire.chance(this.server.faults.lostAcks)) answer(result);
    });
  }

  #ask<T>(
    deadlineMs: number,
    serve: (answer: (value: T) => void, refuse: (error: Error) => void) => void,
  ): Promise<T> {
    if (!this.#up) return Promise.reject(new NatsSilentError('NATS is not connected', true));
    const { process, server } = this;
    return new Promise((resolve, reject) => {
      let over = false;
      const settle = (act: () => void): void => {
        if (over) return;
        over = true;
        late.cancel();
        act();
      };
      const late = process.after(deadlineMs, () =>
        settle(() => reject(new NatsSilentError('NATS does not answer', false))),
      );
      const back = (act: () => void): void =>
        server.wire.carry(() => {
          if (this.#up) process.run(() => settle(act));
        });
      server.wire.carry(() => {
        if (!this.#up) return;
        serve(
          (value) => back(() => resolve(value)),
          (error) => back(() => reject(error)),
        );
      });
    });
  }
}

function matches(pattern: string, subject: string): boolean {
  return pattern.endsWith('>') ? subject.startsWith(pattern.slice(0, -1)) : pattern === subject;
}
