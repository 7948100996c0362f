import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { send } from '../http/answers.js';
import { openApiDocument } from './openapi-document.js';

/** The API's own description: `/openapi.json`. */
@Controller('openapi.json')
export class OpenApiController {
  readonly #document = openApiDocument();

  @Get()
  get(@Res() reply: FastifyReply): void {
    send(reply, this.#document);
  }
}
