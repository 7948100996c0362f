import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { RELEASE_LIST_STATES } from '@pawl/contracts';
import type { PresentState } from '@pawl/contracts';
import { tellRelease } from '@pawl/engine';
import type { ConfigEngine } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { rawPath } from '../http/request-address.js';
import { timeOf } from '../http/time-of.js';
import { CONFIG_ENGINE } from '../tokens.js';

const PREFIX = '/v1/releases/';
const ID = /^[A-Za-z0-9_-]{1,128}$/;
const STATE = new RegExp(`^(${RELEASE_LIST_STATES.join('|')})$`);

/** What is, and was, released in stages, over all addresses: `/v1/releases`, `/v1/releases/{id}`. */
@Controller('v1/releases')
export class ReleasesController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = new Query(request, ['state', 'since', 'limit', 'cursor']);
    const state = query.text('state', STATE, RELEASE_LIST_STATES.join(', '));
    const since = timeOf(query, 'since');
    if (state === 'ended') {
      send(reply, valueOf(await this.engine.listEndedReleases({ ...query.page(), ...since })));
      return;
    }
    if (since !== undefined) {
      throw ProblemException.of(
        'malformed-request',
        '?since= is of releases that have ended; add ?state=ended, or leave it out.',
      );
    }
    const outcome = await this.engine.listReleases({
      ...query.page(),
      ...(state === undefined ? {} : { state: state as PresentState }),
    });
    send(reply, valueOf(outcome));
  }

  @Get('*')
  async sumUp(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const id = releaseId(request);
    new Query(request, []);
    send(reply, valueOf(await tellRelease(this.engine, id)));
  }
}

function releaseId(request: FastifyRequest): string {
  const id = rawPath(request).slice(PREFIX.length);
  if (ID.test(id)) return id;
  throw ProblemException.of(
    'malformed-request',
    `Not the id of a release: GET ${PREFIX.slice(0, -1)} lists those under way, with ?state=ended those that have ended. What an address releases is at /v1/release/{address}.`,
  );
}
