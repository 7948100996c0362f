import { Controller, Inject } from '@nestjs/common';
import { Ctx, MessagePattern, NatsContext, Payload } from '@nestjs/microservices';
import { FORMAT, problem } from '@pawl/contracts';
import type { OwnerReply } from '@pawl/contracts';
import { isOwnerCommand } from '@pawl/contracts/validate';
import { describeError } from '../connection/logger.js';
import { OWNER_COMMANDS } from './consumer-traffic.js';
import type { OwnerCommands } from './consumer-traffic.js';
import { DroppedMessages } from './dropped-messages.js';
import { COMMAND_PATTERN, parseCommandSubject } from './traffic-subject.js';

/** Commands of other nodes to the owner of a shard. Every command gets an answer. */
@Controller()
export class CommandController {
  constructor(
    @Inject(OWNER_COMMANDS) private readonly commands: OwnerCommands,
    private readonly dropped: DroppedMessages,
  ) {}

  @MessagePattern(COMMAND_PATTERN)
  async execute(@Payload() data: unknown, @Ctx() context: NatsContext): Promise<OwnerReply> {
    const subject = context.getSubject();
    const target = parseCommandSubject(subject);
    if (target === undefined || !isOwnerCommand(data)) {
      this.dropped.drop('command', 'malformed', () => ({ subject }));
      const refusal = problem('malformed-request', `not a command on ${subject}`);
      return { format: FORMAT, ok: false, problem: refusal };
    }
    try {
      return await this.commands.execute(target, data);
    } catch (error) {
      this.dropped.drop('command', 'failed', () => ({ subject, error: describeError(error) }));
      const refusal = problem('internal', 'the owner failed; its log says why');
      return { format: FORMAT, ok: false, problem: refusal };
    }
  }
}
