import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { retryWebhookRequestSchema, type RetryWebhookRequest } from '@pawl/contracts';
import type { WebhookUseCases } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { bodyShape } from '../http/body-shape.js';
import { JSON_TYPE, readJson } from '../http/json-body.js';
import { Query } from '../http/query.js';
import { workOnBody } from '../http/raw-body.js';
import { WEBHOOKS } from '../tokens.js';

const asRequest = bodyShape<RetryWebhookRequest>(retryWebhookRequestSchema);

/** How the endpoints of webhooks do, and trying one now: `/v1/webhooks`. On any node. */
@Controller('v1/webhooks')
export class WebhooksController {
  constructor(
    @Inject(WEBHOOKS) private readonly webhooks: Pick<WebhookUseCases, 'list' | 'retry'>,
  ) {}

  /** At most as many as may be configured, so on one page. */
  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    new Query(request, []);
    send(reply, valueOf(await this.webhooks.list()));
  }

  @Post('retry')
  async retry(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    new Query(request, []);
    const act = (): ReturnType<WebhookUseCases['retry']> => {
      const { value } = readJson(request, reply, { types: [JSON_TYPE], numbers: 'exact' });
      return this.webhooks.retry(asRequest(value, { text: '' }).webhook);
    };
    send(reply, valueOf(await workOnBody(request, act)));
  }
}
