import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import {
  PIN_ACTIONS,
  RELEASE_ACTIONS,
  releaseRequestSchema,
  type Address,
  type JsonValue,
  type Outcome,
  type ReleaseRequest,
  type ReleaseView,
} from '@pawl/contracts';
import type { ConfigEngine, Written } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, sendWritten, valueOf } from '../http/answers.js';
import { commandContext, plainText } from '../http/command-context.js';
import { JSON_TYPE, readJson } from '../http/json-body.js';
import { Query } from '../http/query.js';
import { workOnBody } from '../http/raw-body.js';
import { addressOf } from '../http/request-address.js';
import { bodyShape } from '../http/body-shape.js';
import { CONFIG_ENGINE } from '../tokens.js';

const asReleaseRequest = bodyShape<ReleaseRequest>(releaseRequestSchema);
const ACTIONS: readonly string[] = [...RELEASE_ACTIONS, ...PIN_ACTIONS];
const REASON_LENGTH = releaseRequestSchema.properties.reason.maxLength;

/** Release states and their transitions: `/v1/release/{address}`. */
@Controller('v1/release')
export class ReleaseController {
  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  @Post('*')
  async act(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'release');
    new Query(request, []);
    refuseTags(request);
    const act = async (away: () => void): Promise<Outcome<Written<ReleaseView>>> => {
      const body = readJson(request, reply, {
        types: [JSON_TYPE],
        numbers: 'exact',
        address: address.text,
      });
      const wanted = judgeRequest(body.value, address);
      const context = commandContext(request, body.text);
      return this.engine.release(address, wanted, context, away);
    };
    sendWritten(reply, await workOnBody(request, act));
  }

  @Get('*')
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const address = addressOf(request, 'release');
    new Query(request, []);
    send(reply, valueOf(await this.engine.getRelease(address)));
  }
}

function judgeRequest(value: JsonValue, address: Address): ReleaseRequest {
  const wanted = asReleaseRequest(value, address);
  if (!ACTIONS.includes(wanted.action)) {
    throw ProblemException.of(
      'unknown-action',
      `${JSON.stringify(wanted.action.slice(0, 64))} is no action; actions are ${ACTIONS.join(', ')}.`,
    );
  }
  const { reason, freezeException } = wanted;
  if (reason !== undefined) plainText('reason', reason, REASON_LENGTH);
  if (freezeException !== undefined) plainText('freezeException', freezeException, REASON_LENGTH);
  return wanted;
}

/** Tags count definition versions; to ignore one here would drop a precondition in silence. */
function refuseTags(request: FastifyRequest): void {
  const { 'if-match': match, 'if-none-match': noneMatch } = request.headers;
  if (match === undefined && noneMatch === undefined) return;
  throw ProblemException.of(
    'malformed-precondition',
    'A release takes no If-Match or If-None-Match; say "expectedReleaseVersion" in the body.',
  );
}
