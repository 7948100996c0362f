import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { Address } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { addressOf } from '../http/request-address.js';
import { CONFIG_ENGINE } from '../tokens.js';
import { EventStream } from './event-stream.js';
import { RolloutStreams } from './rollout-streams.js';

/** Published and applied: `/v1/rollout/{address}`, as JSON or as an event stream. */
@Controller('v1/rollout')
export class RolloutController {
  constructor(
    @Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine,
    private readonly streams: RolloutStreams,
  ) {}

  @Get('*')
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'rollout');
    new Query(request, []);
    reply.header('vary', 'Accept');
    if (wantsStream(request)) await this.#stream(address, request, reply);
    else send(reply, valueOf(await this.engine.getRollout(address)));
  }

  async #stream(address: Address, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const stream = new EventStream(reply, lastEventId(request));
    const failed = await this.streams.join(address, stream);
    if (failed !== null) throw new ProblemException(failed);
    const leave = (): void => this.streams.leave(address, stream);
    if (reply.raw.closed) leave();
    else reply.raw.once('close', leave);
  }
}

/** Of a reader that comes back (WHATWG HTML §9.2.4); 0 where it says none that is one of ours. */
function lastEventId({ headers }: FastifyRequest): number {
  const said = headers['last-event-id'];
  return typeof said === 'string' && /^[0-9]{1,15}$/.test(said) ? Number(said) : 0;
}

function wantsStream({ method, headers }: FastifyRequest): boolean {
  return method === 'GET' && /\btext\/event-stream\b/i.test(headers.accept ?? '');
}
