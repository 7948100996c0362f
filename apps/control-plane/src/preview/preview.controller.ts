import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import {
  done,
  LIMITS,
  parseJson,
  previewRequestSchema,
  type Address,
  type JsonValue,
  type Outcome,
  type PreviewRequest,
  type PreviewView,
  type Problem,
} from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { send, valueOf } from '../http/answers.js';
import { bodyShape } from '../http/body-shape.js';
import { JSON_TYPE, readJsonText } from '../http/json-body.js';
import { Query } from '../http/query.js';
import { workOnBody } from '../http/raw-body.js';
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
    const preview = async (away: () => void): Promise<Outcome<PreviewView>> => {
      const { text } = readJsonText(request, reply, [JSON_TYPE]);
      const parsed = parsePreview(text, address);
      const refusal = parsed.ok ? null : refusedPart(parsed.problem);
      if (refusal !== null) return done(refusal);
      return this.engine.preview(address, asPreviewRequest(valueOf(parsed), address), away);
    };
    send(reply, valueOf(await workOnBody(request, preview)));
  }
}

/** Numbers are exact in the document and doubles in the schema, as in the writes themselves. */
function parsePreview(text: string, address: Address): Outcome<JsonValue> {
  // The document inside may be as deep as one by itself.
  const options = { maxDepth: LIMITS.jsonDepth + 1, address: address.text };
  const exact = parseJson(text, { ...options, numbers: 'exact' });
  if (exact.ok || exact.problem.code !== 'number-not-representable') return exact;
  const { errors = [] } = exact.problem;
  const inSchema = errors.some(({ pointer }) => /^\/schema(\/|$)/.test(pointer));
  return inSchema ? parseJson(text, { ...options, numbers: 'double' }) : exact;
}

const PART = /^\/(document|schema)(?=\/|$)/;

/**
 * JSON whose document or schema a write would refuse as it reads it: a preview that says so, with
 * pointers into that part; `null` when the fault is the request's own.
 */
function refusedPart({ code, errors = [] }: Problem): PreviewView | null {
  // A part that is given twice is the request's fault, not the part's.
  const part = code === 'duplicate-key' ? /^\/(document|schema)\// : PART;
  const inPart = errors.length > 0 && errors.every(({ pointer }) => part.test(pointer));
  if (code === 'malformed-json' || !inPart) return null;
  const found = errors.map((error) => ({
    ...error,
    pointer: error.pointer.replace(PART, ''),
    keyword: code,
  }));
  return { valid: false, errors: found, patch: [], addresses: [] };
}
