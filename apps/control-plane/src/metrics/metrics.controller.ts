import { Controller, Get, Res } from '@nestjs/common';
import { Metrics } from '@pawl/platform';
import type { FastifyReply } from 'fastify';

/** For Prometheus: `/metrics`. */
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  async get(@Res() reply: FastifyReply): Promise<void> {
    const text = await this.metrics.text();
    reply.header('content-type', this.metrics.contentType).send(text);
  }
}
