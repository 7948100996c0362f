import { LIMITS, parseJson, type JsonValue } from '@pawl/contracts';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isUtf8 } from 'node:buffer';
import { rawBodyOf, type RawBody } from './raw-body.js';

export const JSON_TYPE = 'application/json';
export const MERGE_PATCH_TYPE = 'application/merge-patch+json';
export const JSON_PATCH_TYPE = 'application/json-patch+json';

export interface JsonBody {
  /** The content type without parameters, one of those asked for. */
  readonly type: string;
  readonly text: string;
  readonly value: JsonValue;
}

export interface JsonBodyOptions {
  readonly types: readonly string[];
  /** `exact` for documents, `double` for schemas. */
  readonly numbers: 'exact' | 'double';
  /** Named by the errors. */
  readonly address?: string;
}

/** The content type of a body, one of `types`; throws a problem for any other, and for encodings. */
export function bodyType(
  request: FastifyRequest,
  reply: FastifyReply,
  types: readonly string[],
): string {
  if (!rawBodyOf(request).drained) reply.header('connection', 'close');
  const type = contentType(request.headers['content-type'], types);
  refuseEncoding(request.headers['content-encoding']);
  return type;
}

/** The text of a JSON body of one of `types`; throws a problem when there is none such. */
export function readJsonText(
  request: FastifyRequest,
  reply: FastifyReply,
  types: readonly string[],
): Omit<JsonBody, 'value'> {
  const type = bodyType(request, reply, types);
  const bytes = heldBytes(rawBodyOf(request));
  if (bytes.length === 0) {
    throw ProblemException.of('malformed-json', `The body is empty; send ${types.join(' or ')}.`);
  }
  if (!isUtf8(bytes)) {
    throw ProblemException.of('malformed-json', 'The body is not UTF-8; JSON is sent as UTF-8.');
  }
  return { type, text: withoutByteOrderMark(bytes.toString('utf8')) };
}

export function readJson(
  request: FastifyRequest,
  reply: FastifyReply,
  options: JsonBodyOptions,
): JsonBody {
  const { type, text } = readJsonText(request, reply, options.types);
  const parsed = parseJson(text, {
    numbers: options.numbers,
    ...(options.address === undefined ? {} : { address: options.address }),
  });
  if (!parsed.ok) throw new ProblemException(parsed.problem);
  return { type, text, value: parsed.value };
}

function heldBytes({ bytes }: RawBody): Buffer {
  switch (bytes) {
    case 'too-large':
      throw ProblemException.of(
        'too-large',
        `A request body has at most ${LIMITS.requestBytes} bytes; send less.`,
      );
    case 'no-room':
      throw ProblemException.of(
        'too-many-requests',
        'Too many request bodies are under way; nothing was written, try again later.',
      );
    default:
      return bytes;
  }
}

/** Nothing is unpacked here: a small body that grows without end is an old trick. */
function refuseEncoding(header: string | undefined): void {
  if (header === undefined || /^(identity)?$/i.test(header.trim())) return;
  throw ProblemException.of(
    'wrong-content-encoding',
    `Not ${header.slice(0, 64)}; send the body as it is, without Content-Encoding.`,
  );
}

/** RFC 8259 §8.1 lets a reader ignore it. */
function withoutByteOrderMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function contentType(header: string | undefined, types: readonly string[]): string {
  const [essence = '', ...parameters] = (header ?? '').split(';').map((part) => part.trim());
  const type = essence.toLowerCase();
  if (!types.includes(type)) {
    const found = header === undefined ? 'The request has no Content-Type' : `Not ${header}`;
    throw ProblemException.of(
      'wrong-content-type',
      `${found.slice(0, 200)}; send the header "Content-Type: ${types.join('" or "Content-Type: ')}".`,
    );
  }
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter))?.slice(8);
  if (charset !== undefined && !/^"?utf-?8"?$/i.test(charset)) {
    throw ProblemException.of('wrong-content-type', 'JSON is sent as UTF-8; drop the charset.');
  }
  return type;
}
