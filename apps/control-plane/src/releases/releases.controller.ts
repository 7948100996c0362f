import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { RELEASE_LIST_STATES } from '@pawl/contracts';
import type { ReleaseListState } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { rawPath } from '../http/request-address.js';
import { CONFIG_ENGINE } from '../tokens.js';

const PREFIX = '/v1/releases/';
const ID = /^[A-Za-z0-9_-]{1,128}$/;
const STATE = new RegExp(`^(${RELEASE_LIST_STATES.join('|')})$`);

/** What is being released in stages, over all addresses: `/v1/releases`, `/v1/releases/{id}`. */
@Controller('v1/releases')
export class ReleasesController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = new Query(request, ['state', 'limit', 'cursor']);
    const state = query.text('state', STATE, RELEASE_LIST_STATES.join(', '));
    const outcome = await this.engine.listReleases({
      ...query.page(),
      ...(state === undefined ? {} : { state: state as ReleaseListState }),
    });
    send(reply, valueOf(outcome));
  }

  @Get('*')
  async sumUp(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const id = releaseId(request);
    new Query(request, []);
    const address = valueOf(await this.engine.findRelease(id));
    send(reply, valueOf(await this.engine.sumUpRelease(address, id)));
  }
}

function releaseId(request: FastifyRequest): string {
  const id = rawPath(request).slice(PREFIX.length);
  if (ID.test(id)) return id;
  throw ProblemException.of(
    'malformed-request',
    `Not the id of a release: GET ${PREFIX.slice(0, -1)} lists those under way. What an address releases is at /v1/release/{address}.`,
  );
}
