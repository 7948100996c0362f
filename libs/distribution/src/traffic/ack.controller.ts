import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, NatsContext, Payload } from '@nestjs/microservices';
import { parseMessage } from '@pawl/contracts/validate';
import { assert } from '@pawl/kernel';
import { describeError } from '../connection/logger.js';
import { CONSUMER_TRAFFIC } from './consumer-traffic.js';
import type { ConsumerTraffic } from './consumer-traffic.js';
import { DroppedMessages } from './dropped-messages.js';
import { ACK_PATTERN, parseConsumerSubject } from './traffic-subject.js';

/** What consumers applied and rejected. */
@Controller()
export class AckController {
  constructor(
    @Inject(CONSUMER_TRAFFIC) private readonly traffic: ConsumerTraffic,
    private readonly dropped: DroppedMessages,
  ) {}

  /** `context` is a `NatsContext`; `EventPattern` does not let a handler say so. */
  @EventPattern(ACK_PATTERN)
  ack(@Payload() data: unknown, @Ctx() context: unknown): void {
    assert(context instanceof NatsContext, 'acks arrive over NATS');
    const subject = context.getSubject();
    const from = parseConsumerSubject(subject);
    const ack = parseMessage('ack', data);
    if (from === undefined || !ack.ok) {
      const reason = ack.ok ? 'the subject names no consumer' : ack.message;
      this.dropped.drop('ack', 'malformed', () => ({ subject, reason }));
      return;
    }
    try {
      this.traffic.ack(from, ack.value);
    } catch (error) {
      this.dropped.drop('ack', 'failed', () => ({ subject, error: describeError(error) }));
    }
  }
}
