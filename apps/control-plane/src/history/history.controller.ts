import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { ConfigEngine } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { addressOf } from '../http/request-address.js';
import { timeOf } from '../http/time-of.js';
import { CONFIG_ENGINE } from '../tokens.js';

/** What happened: `/v1/history/{address}`, `/v1/diff/{address}`, `/v1/audit`, `/v1/changes`. */
@Controller('v1')
export class HistoryController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get('history/*')
  async history(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'history');
    const page = new Query(request, ['limit', 'cursor']).page();
    send(reply, valueOf(await this.engine.listHistory(address, page)));
  }

  @Get('diff/*')
  async diff(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'diff');
    const query = new Query(request, ['from', 'to']);
    const [from, to] = [query.version('from'), query.version('to')];
    if (from === undefined || to === undefined) {
      throw ProblemException.of(
        'malformed-request',
        'A diff is between two definition versions; add ?from=1&to=2.',
      );
    }
    send(reply, valueOf(await this.engine.diff(address, from, to)));
  }

  @Get(['audit', 'changes'])
  async audit(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = new Query(request, ['since', 'limit', 'cursor']);
    send(
      reply,
      valueOf(await this.engine.listAudit({ ...query.page(), ...timeOf(query, 'since') })),
    );
  }
}
