import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { parseAddress } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { Query } from '../http/query.js';
import { CONFIG_ENGINE } from '../tokens.js';

/** The inventory of addresses: `/v1/scopes`. */
@Controller('v1/scopes')
export class ScopesController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = new Query(request, ['prefix', 'limit', 'cursor']);
    const prefix = scopePrefix(query.raw('prefix'));
    const outcome = await this.engine.listScopes({
      ...query.page(),
      ...(prefix === undefined ? {} : { prefix }),
    });
    send(reply, valueOf(outcome));
  }
}

/** Whole segments, as in `acme/prod`. */
function scopePrefix(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  const parsed = parseAddress(value);
  if (parsed.ok && !value.includes(':')) return parsed.address.scope;
  const why = parsed.ok ? 'a prefix names no document' : parsed.message;
  throw ProblemException.of(
    'malformed-request',
    `?prefix= takes whole segments such as acme/prod: ${why}.`,
  );
}
