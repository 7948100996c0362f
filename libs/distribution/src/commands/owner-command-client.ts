import { RequestError, TimeoutError } from '@nats-io/transport-node';
import type { Msg } from '@nats-io/transport-node';
import type { Subjects } from '@pawl/contracts';
import { DistributionUnavailableError } from '@pawl/engine';
import { describeError } from '../connection/logger.js';
import type { NatsLink } from '../connection/nats-link.js';
import { isOwnerCommandReply } from './owner-command.message.js';
import type { OwnerCommand, OwnerCommandReply } from './owner-command.message.js';

/** Nobody owns the shard under this token: look at the shard map again. Nothing was done. */
export class NoOwnerError extends Error {
  override readonly name = 'NoOwnerError';
}

/** The owner did not answer in time, or what came back was no answer: it may have been done. */
export class CommandOutcomeUnknownError extends Error {
  override readonly name = 'CommandOutcomeUnknownError';
}

/** Asks the owner of a shard to do something. */
export class OwnerCommandClient {
  constructor(
    private readonly link: NatsLink,
    private readonly subjects: Subjects,
  ) {}

  /**
   * Sends one command under the token that the shard map names, and answers the owner's reply within
   * `deadlineMs`. Throws {@link NoOwnerError}, {@link CommandOutcomeUnknownError}, or
   * `DistributionUnavailableError` when NATS is down before anything was sent.
   */
  async send(
    target: { readonly shard: number; readonly token: bigint },
    command: OwnerCommand,
    deadlineMs: number,
  ): Promise<OwnerCommandReply> {
    const subject = this.subjects.command(target.shard, target.token);
    if (!this.link.connected) throw new DistributionUnavailableError('NATS is not connected');
    const answer = await this.#request(subject, command, deadlineMs);
    const reply = parseReply(answer, subject);
    if (!reply.ok && reply.problem.code === 'no-owner')
      throw new NoOwnerError(reply.problem.detail);
    return reply;
  }

  async #request(subject: string, command: OwnerCommand, deadlineMs: number): Promise<Msg> {
    try {
      return await this.link.run((connection) =>
        connection.request(subject, JSON.stringify(command), { timeout: deadlineMs }),
      );
    } catch (error) {
      if (error instanceof RequestError && error.isNoResponders()) {
        throw new NoOwnerError(`nobody listens on ${subject}`, { cause: error });
      }
      const what = error instanceof TimeoutError ? 'no answer in time' : describeError(error);
      throw new CommandOutcomeUnknownError(`${subject}: ${what}`, { cause: error });
    }
  }
}

function parseReply(message: Msg, subject: string): OwnerCommandReply {
  let value: unknown;
  try {
    value = message.json();
  } catch {
    value = undefined;
  }
  if (isOwnerCommandReply(value)) return value;
  throw new CommandOutcomeUnknownError(`${subject}: the answer is not a reply`);
}
