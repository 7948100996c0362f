import { errors, headers as newHeaders, nuid } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import type { OwnerCommand, OwnerReply, Outcome, Subjects } from '@pawl/contracts';
import { isOwnerReply } from '@pawl/contracts/validate';
import {
  CommandOutcomeUnknownError,
  DistributionUnavailableError,
  NoOwnerError,
} from '@pawl/engine';
import type { CallMessage, OwnerCalls, OwnerTarget } from '@pawl/engine';
import type { Clock } from '@pawl/kernel';
import { describeError } from '../connection/logger.js';
import { backgroundTimer } from '@pawl/contracts/node';
import type { NatsLink } from '../connection/nats-link.js';
import { setDeadline } from './command-deadline.js';
import { MessageJoiner, splitMessage } from './message-parts.js';

/** Asks the owner of a shard to do something. */
export class OwnerCommandClient implements OwnerCalls {
  constructor(
    private readonly link: NatsLink,
    private readonly subjects: Subjects,
    private readonly clock: Clock,
  ) {}

  /**
   * Sends one command under the token that the shard map names, and answers the owner's reply within
   * `deadlineMs`. Throws {@link NoOwnerError}, {@link CommandOutcomeUnknownError}, or
   * `DistributionUnavailableError` when NATS is down before anything was sent.
   */
  send(target: OwnerTarget, command: OwnerCommand, deadlineMs: number): Promise<OwnerReply> {
    return this.#send(target, JSON.stringify(command), deadlineMs);
  }

  call(target: OwnerTarget, { json }: CallMessage, deadlineMs: number): Promise<Outcome<unknown>> {
    return this.#send(target, json, deadlineMs);
  }

  async #send(target: OwnerTarget, json: string, deadlineMs: number): Promise<OwnerReply> {
    const subject = this.subjects.command(target.shard, target.token);
    if (!this.link.connected) throw new DistributionUnavailableError('NATS is not connected');
    const reply = parseReply(await this.#request(subject, json, deadlineMs), subject);
    if (!reply.ok && reply.problem.code === 'no-owner') {
      throw new NoOwnerError(reply.problem.detail);
    }
    return reply;
  }

  async #request(subject: string, json: string, deadlineMs: number): Promise<Uint8Array> {
    try {
      return await this.link.run((connection) =>
        this.#exchange(connection, { subject, json, deadlineMs }),
      );
    } catch (error) {
      if (error instanceof CommandOutcomeUnknownError) throw error;
      if (error instanceof errors.NoRespondersError) {
        throw new NoOwnerError(`nobody listens on ${subject}`, { cause: error });
      }
      throw new CommandOutcomeUnknownError(`${subject}: ${describeError(error)}`, { cause: error });
    }
  }

  /** All parts but the last go ahead: an owner that is not there misses them, and then the last. */
  async #exchange(
    connection: NatsConnection,
    of: { readonly subject: string; readonly json: string; readonly deadlineMs: number },
  ): Promise<Uint8Array> {
    const { subject, json, deadlineMs } = of;
    const parts = splitMessage(json, nuid.next());
    for (const { data, headers } of parts.slice(0, -1)) {
      connection.publish(subject, data, headers && { headers });
    }
    const last = parts.at(-1);
    const headers = last?.headers ?? newHeaders();
    setDeadline(headers, deadlineMs);
    const replies = await connection.requestMany(subject, last?.data, {
      strategy: 'timer',
      maxWait: deadlineMs,
      headers,
    });
    const joiner = new MessageJoiner(this.clock, backgroundTimer);
    try {
      for await (const message of replies) {
        const joined = joiner.add(message);
        if (joined.kind === 'whole') return joined.data;
        if (joined.kind === 'broken')
          throw new CommandOutcomeUnknownError(`${subject}: a part of the answer is missing`);
      }
    } finally {
      joiner.close();
    }
    throw new CommandOutcomeUnknownError(`${subject}: no answer in time`);
  }
}

function parseReply(data: Uint8Array, subject: string): OwnerReply {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    value = undefined;
  }
  if (isOwnerReply(value)) return value;
  throw new CommandOutcomeUnknownError(`${subject}: the answer is not a reply`);
}
