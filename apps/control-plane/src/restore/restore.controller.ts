import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import {
  acceptRestoreRequestSchema,
  type AcceptedRestoreView,
  type AcceptRestoreRequest,
  type Outcome,
} from '@pawl/contracts';
import type { RestoreUseCases } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { bodyShape } from '../http/body-shape.js';
import { commandContext, plainText } from '../http/command-context.js';
import { JSON_TYPE, readJson } from '../http/json-body.js';
import { Query } from '../http/query.js';
import { workOnBody } from '../http/raw-body.js';
import { RESTORE } from '../tokens.js';

const asRequest = bodyShape<AcceptRestoreRequest>(acceptRestoreRequestSchema);
const REASON_LENGTH = acceptRestoreRequestSchema.properties.reason.maxLength;

/** What a restored PostgreSQL lacks, and accepting that: `/v1/restore`. On any node. */
@Controller('v1/restore')
export class RestoreController {
  constructor(@Inject(RESTORE) private readonly restore: RestoreUseCases) {}

  @Get()
  async status(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    new Query(request, []);
    send(reply, valueOf(await this.restore.status()));
  }

  /** Needs no idempotency key: what is accepted is not accepted twice. */
  @Post('accept')
  async accept(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    new Query(request, []);
    const act = (): Promise<Outcome<AcceptedRestoreView>> => {
      const options = { types: [JSON_TYPE], numbers: 'exact' } as const;
      const { value, text } = readJson(request, reply, options);
      const { reason, generation, shards } = asRequest(value, { text: '' });
      plainText('reason', reason, REASON_LENGTH);
      const { actor } = commandContext(request, text);
      return this.restore.accept({ actor, reason, seen: { generation, shards } });
    };
    send(reply, valueOf(await workOnBody(request, act)));
  }
}
