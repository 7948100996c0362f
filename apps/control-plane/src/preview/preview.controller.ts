import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import {
  parseJson,
  previewRequestSchema,
  type Address,
  type JsonValue,
  type PreviewRequest,
} from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { bodyShape } from '../http/body-shape.js';
import { JSON_TYPE, readJsonText } from '../http/json-body.js';
import { Query } from '../http/query.js';
import { addressOf } from '../http/request-address.js';
import { CONFIG_ENGINE } from '../tokens.js';

const asPreviewRequest = bodyShape<PreviewRequest>(previewRequestSchema);

/** What a change would do: `/v1/preview/{address}`. */
@Controller('v1/preview')
export class PreviewController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Post('*')
  @HttpCode(200)
  async preview(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'preview');
    new Query(request, []);
    const { text } = readJsonText(request, reply, [JSON_TYPE]);
    const wanted = asPreviewRequest(parsePreview(text, address), address);
    send(reply, valueOf(await this.engine.preview(address, wanted)));
  }
}

/** Numbers are exact in the document and doubles in the schema, as in the writes themselves. */
function parsePreview(text: string, address: Address): JsonValue {
  const exact = parseJson(text, { numbers: 'exact', address: address.text });
  if (exact.ok) return exact.value;
  const { code, errors = [] } = exact.problem;
  const inSchema = errors.every(({ pointer }) => /^\/schema(\/|$)/.test(pointer));
  if (code !== 'number-not-representable' || errors.length === 0 || !inSchema) {
    throw new ProblemException(exact.problem);
  }
  const lenient = parseJson(text, { numbers: 'double', address: address.text });
  return valueOf(lenient);
}
