import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { ConfigEngine } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { CONFIG_ENGINE } from '../tokens.js';

/** Nodes, quorum and shards: `/v1/cluster`. */
@Controller('v1/cluster')
export class ClusterController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get()
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    new Query(request, []);
    send(reply, valueOf(await this.engine.cluster()));
  }
}
