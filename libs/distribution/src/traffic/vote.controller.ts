import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, NatsContext, Payload } from '@nestjs/microservices';
import { parseMessage } from '@pawl/contracts/validate';
import { assert } from '@pawl/kernel';
import { describeError } from '../connection/logger.js';
import { CONSUMER_TRAFFIC } from './consumer-traffic.js';
import type { ConsumerTraffic } from './consumer-traffic.js';
import { DroppedMessages } from './dropped-messages.js';
import { VOTE_PATTERN, parseConsumerSubject } from './traffic-subject.js';

/** What consumers make of documents that they were asked about. */
@Controller()
export class VoteController {
  constructor(
    @Inject(CONSUMER_TRAFFIC) private readonly traffic: ConsumerTraffic,
    private readonly dropped: DroppedMessages,
  ) {}

  /** `context` is a `NatsContext`; `EventPattern` does not let a handler say so. */
  @EventPattern(VOTE_PATTERN)
  vote(@Payload() data: unknown, @Ctx() context: unknown): void {
    assert(context instanceof NatsContext, 'votes arrive over NATS');
    const subject = context.getSubject();
    const from = parseConsumerSubject(subject);
    const vote = parseMessage('vote', data);
    if (from === undefined || !vote.ok) {
      const reason = vote.ok ? 'the subject names no consumer' : vote.message;
      this.dropped.drop('vote', 'malformed', () => ({ subject, reason }));
      return;
    }
    try {
      this.traffic.vote(from, vote.value);
    } catch (error) {
      this.dropped.drop('vote', 'failed', () => ({ subject, error: describeError(error) }));
    }
  }
}
