import { randomUUID } from 'node:crypto';
import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { preflightRequestSchema, type PreflightRequest } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { bodyShape } from '../http/body-shape.js';
import { JSON_TYPE, readJson } from '../http/json-body.js';
import { Query } from '../http/query.js';
import { workOnBody } from '../http/raw-body.js';
import { addressOf } from '../http/request-address.js';
import { CONFIG_ENGINE } from '../tokens.js';

const asPreflightRequest = bodyShape<PreflightRequest>(preflightRequestSchema);

/** What the consumers make of a release before it is made: `/v1/preflight/{address}`. */
@Controller('v1/preflight')
export class PreflightController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Post('*')
  @HttpCode(200)
  async ask(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'preflight');
    new Query(request, []);
    // What follows is waiting: it holds nothing that other bodies wait for.
    const wanted = await workOnBody(request, async () => {
      const options = { types: [JSON_TYPE], numbers: 'exact', address: address.text } as const;
      return asPreflightRequest(readJson(request, reply, options).value, address);
    });
    send(reply, valueOf(await this.engine.preflight(address, wanted, randomUUID())));
  }
}
