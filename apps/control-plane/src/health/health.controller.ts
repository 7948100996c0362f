import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { HealthView } from '@pawl/contracts';
import { Readiness } from '@pawl/platform';
import type { FastifyReply } from 'fastify';
import { send } from '../http/answers.js';
import { INSTALLATION } from '../tokens.js';

/**
 * For probes: `/healthz`, the process lives, and whose it is, which asks nothing that may be down;
 * `/readyz`, the next write succeeds.
 */
@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    @Inject(INSTALLATION) private readonly installation: string,
  ) {}

  @Get('healthz')
  health(@Res() reply: FastifyReply): void {
    send(reply, { status: 'alive', installation: this.installation } satisfies HealthView);
  }

  @Get('readyz')
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const { ready, checks } = await this.readiness.report();
    if (!ready) reply.header('retry-after', '1');
    send(reply, { status: ready ? 'ready' : 'not-ready', checks }, ready ? 200 : 503);
  }
}
