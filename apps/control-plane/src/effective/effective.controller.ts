import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { ConfigEngine } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { addressOf } from '../http/request-address.js';
import { CONFIG_ENGINE } from '../tokens.js';

const IDENTITY = /^[A-Za-z0-9_-]{1,128}$/;
const IDENTITY_EXPECTS = '1 to 128 of A-Z, a-z, 0-9, "_" and "-"';

/** What is read at an address now: `/v1/effective/{address}`. */
@Controller('v1/effective')
export class EffectiveController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get('*')
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'effective');
    const query = new Query(request, ['consumerId', 'workload', 'explain']);
    const consumerId = query.text('consumerId', IDENTITY, IDENTITY_EXPECTS);
    const workload = query.text('workload', IDENTITY, IDENTITY_EXPECTS);
    const outcome = await this.engine.getEffective(address, {
      explain: query.flag('explain'),
      ...(consumerId === undefined ? {} : { consumerId }),
      ...(workload === undefined ? {} : { workload }),
    });
    send(reply, valueOf(outcome));
  }
}
