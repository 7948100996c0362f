import { jetstream, JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { TimeoutError } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { DistributionUnavailableError } from '@pawl/engine';
import { describeError } from '../connection/logger.js';
import type { NatsLink } from '../connection/nats-link.js';

export interface JetStreamApi {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
}

/** A stored message with its place in the stream. */
export interface StoredMessage {
  readonly sequence: number;
  /** When it was stored, by the server's wall clock. */
  readonly storedMs: number;
  readonly data: Uint8Array;
  /** `''` when the message has no such header. */
  header(name: string): string;
}

/** Runs calls to JetStream with a deadline each, on whatever connection the link has. */
export class JetStreamAccess {
  #api: JetStreamApi | undefined;

  constructor(
    private readonly link: NatsLink,
    /** Deadline of one request. */
    private readonly timeoutMs: number,
  ) {}

  /** What the server refused rejects with its `JetStreamApiError`, all else as unavailable. */
  async call<T>(doing: string, work: (api: JetStreamApi) => Promise<T>): Promise<T> {
    try {
      return await this.link.run(async (connection) => work(await this.#apiOf(connection)));
    } catch (error) {
      if (error instanceof JetStreamApiError) throw error;
      throw unavailable(doing, error);
    }
  }

  /** The newest message of a subject as the stream's leader has it: never a stale one. */
  newest(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return this.call(`reading ${subject}`, async ({ manager }) => {
      const message = await manager.streams.getMessage(stream, { last_by_subj: subject });
      if (message === null) return undefined;
      const { seq: sequence, time, data, header } = message;
      return {
        sequence,
        storedMs: time.getTime(),
        data,
        header: (name) => (header as typeof header | undefined)?.get(name) ?? '',
      };
    });
  }

  /** Whether the stream's leader holds anything of a subject; carries none of it. */
  holds(stream: string, subject: string): Promise<boolean> {
    return this.call(`looking for ${subject}`, async ({ manager }) => {
      const { state } = await manager.streams.info(stream, { subjects_filter: subject });
      return (state.subjects?.[subject] ?? 0) > 0;
    });
  }

  /** Deletes what the subject holds up to and including a sequence; nothing there is success. */
  purgeSubject(stream: string, subject: string, upTo: number): Promise<void> {
    return this.call(`removing ${subject}`, async ({ manager }) => {
      await manager.streams.purge(stream, { filter: subject, seq: upTo + 1 });
    });
  }

  /**
   * As {@link newest}, but from any replica: cheaper for large messages, and possibly behind. A
   * stream that does not exist lets this run into its deadline.
   */
  direct(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return this.call(`reading ${subject}`, async ({ manager }) => {
      const message = await manager.direct.getMessage(stream, { last_by_subj: subject });
      if (message === null) return undefined;
      const { seq: sequence, time, data, header } = message;
      return { sequence, storedMs: time.getTime(), data, header: (name) => header.get(name) };
    });
  }

  /**
   * Stores a message if the newest on its subject has sequence `expected` (0: there is none); answers
   * whether it did. No message id is sent, so the server never answers `duplicate` for what it lost.
   */
  async store(
    subject: string,
    payload: Uint8Array | string,
    expected: { readonly stream: string; readonly sequence: number },
    headers?: NonNullable<Parameters<JetStreamClient['publish']>[2]>['headers'],
  ): Promise<boolean> {
    try {
      await this.call(`storing ${subject}`, ({ client }) =>
        client.publish(subject, payload, {
          expect: { streamName: expected.stream, lastSubjectSequence: expected.sequence },
          ...(headers === undefined ? {} : { headers }),
        }),
      );
      return true;
    } catch (error) {
      if (isWrongSequence(error)) return false;
      throw error;
    }
  }

  async #apiOf(connection: NatsConnection): Promise<JetStreamApi> {
    if (this.#api?.connection === connection) return this.#api;
    const client = jetstream(connection, { timeout: this.timeoutMs });
    const manager = await client.jetstreamManager(false);
    this.#api = { connection, client, manager };
    return this.#api;
  }
}

/** Wraps anything that was thrown, unless it is that already. */
export function unavailable(doing: string, error: unknown): DistributionUnavailableError {
  if (error instanceof DistributionUnavailableError) return error;
  return new DistributionUnavailableError(`${doing}: ${describeError(error)}`, { cause: error });
}

export function isStreamMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
}

/**
 * Whether an error may come from a stream that is not there: the server says so, nobody takes what
 * is published (NATS: no responders), or nobody answers a direct get.
 */
export function mayBeMissingStream(error: unknown): boolean {
  if (isStreamMissing(error)) return true;
  if (!(error instanceof DistributionUnavailableError) || !(error.cause instanceof Error)) {
    return false;
  }
  return error.cause instanceof TimeoutError || error.cause.name === 'JetStreamNotEnabled';
}

function isWrongSequence(error: unknown): boolean {
  return (
    error instanceof JetStreamApiError &&
    (error.code === JetStreamApiCodes.StreamWrongLastSequence ||
      error.code === JetStreamApiCodes.StreamWrongLastSequenceUnknown)
  );
}
