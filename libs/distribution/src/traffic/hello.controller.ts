import { Controller, Inject } from '@nestjs/common';
import { Ctx, MessagePattern, NatsContext, Payload } from '@nestjs/microservices';
import type { HelloReply } from '@pawl/contracts';
import { parseMessage } from '@pawl/contracts/validate';
import { describeError } from '../connection/logger.js';
import { CONSUMER_TRAFFIC } from './consumer-traffic.js';
import type { ConsumerTraffic } from './consumer-traffic.js';
import { DroppedMessages } from './dropped-messages.js';
import { HELLO_PATTERN, parseConsumerSubject } from './traffic-subject.js';

/** Heartbeats of consumers. What cannot be answered gets no answer; the consumer asks again. */
@Controller()
export class HelloController {
  constructor(
    @Inject(CONSUMER_TRAFFIC) private readonly traffic: ConsumerTraffic,
    private readonly dropped: DroppedMessages,
  ) {}

  @MessagePattern(HELLO_PATTERN)
  async hello(
    @Payload() data: unknown,
    @Ctx() context: NatsContext,
  ): Promise<HelloReply | undefined> {
    const subject = context.getSubject();
    const from = parseConsumerSubject(subject);
    const hello = parseMessage('hello', data);
    if (from === undefined || !hello.ok) {
      const reason = hello.ok ? 'the subject names no consumer' : hello.message;
      this.dropped.drop('hello', 'malformed', () => ({ subject, reason }));
      return undefined;
    }
    try {
      return await this.traffic.hello(from, hello.value);
    } catch (error) {
      this.dropped.drop('hello', 'failed', () => ({ subject, error: describeError(error) }));
      return undefined;
    }
  }
}
