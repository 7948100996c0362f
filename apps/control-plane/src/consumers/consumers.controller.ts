import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { CONSUMER_STATES, type ConsumerState } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { addressOf } from '../http/request-address.js';
import { CONFIG_ENGINE } from '../tokens.js';

const STATE = new RegExp(`^(${CONSUMER_STATES.join('|')})$`);

/** Who consumes an address and what they run: `/v1/consumers/{address}`. */
@Controller('v1/consumers')
export class ConsumersController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get('*')
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'consumers');
    const query = new Query(request, ['state', 'limit', 'cursor']);
    const state = query.text('state', STATE, CONSUMER_STATES.join(', ')) as
      ConsumerState | undefined;
    const outcome = await this.engine.listConsumers(address, {
      ...query.page(),
      ...(state === undefined ? {} : { state }),
    });
    send(reply, valueOf(outcome));
  }
}
