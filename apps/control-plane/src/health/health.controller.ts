import { Controller, Get, Res } from '@nestjs/common';
import { Readiness } from '@pawl/platform';
import type { FastifyReply } from 'fastify';
import { send } from '../http/answers.js';

/** For probes: `/healthz`, the process lives; `/readyz`, the next write succeeds. */
@Controller()
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('healthz')
  health(@Res() reply: FastifyReply): void {
    send(reply, { status: 'alive' });
  }

  @Get('readyz')
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const { ready, checks } = await this.readiness.report();
    if (!ready) reply.header('retry-after', '1');
    send(reply, { status: ready ? 'ready' : 'not-ready', checks }, ready ? 200 : 503);
  }
}
