import { LIMITS } from '@pawl/contracts';
import { ProblemException } from '@pawl/platform';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';

/**
 * A request body as it came, before anything was made of it. `bytes` is `null` when it passed
 * `LIMITS.requestBytes`; `drained` says whether the rest was read, so that the connection can go on.
 */
export interface RawBody {
  readonly bytes: Buffer | null;
  readonly drained: boolean;
}

/**
 * A body above the limit is read to its end up to here and thrown away: a client that is cut off
 * while it sends sees a broken connection instead of the answer.
 */
const DRAIN_BYTES = 16 * 1024 * 1024;

const EMPTY: RawBody = { bytes: Buffer.alloc(0), drained: true };

/** Replaces Fastify's parsers: bodies of any content type reach the controllers as {@link RawBody}. */
export function acceptRawBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, payload, done) => {
    readBody(payload, LIMITS.requestBytes, done);
  });
}

export function rawBodyOf(request: FastifyRequest): RawBody {
  return (request.body as RawBody | null | undefined) ?? EMPTY;
}

type Done = (error: Error | null, body?: RawBody) => void;

function readBody(payload: IncomingMessage, limit: number, done: Done): void {
  if (Number(payload.headers['content-length']) > DRAIN_BYTES) {
    done(null, { bytes: null, drained: false });
    return;
  }
  const chunks: Buffer[] = [];
  let received = 0;
  const settle = (error: Error | null, body?: RawBody): void => {
    payload.removeListener('data', onData);
    payload.removeListener('end', onEnd);
    payload.removeListener('error', onError);
    done(error, body);
  };
  const onData = (chunk: Buffer): void => {
    received += chunk.length;
    if (received <= limit) chunks.push(chunk);
    else chunks.length = 0;
    if (received > DRAIN_BYTES) settle(null, { bytes: null, drained: false });
  };
  const onEnd = (): void => {
    const bytes = received > limit ? null : Buffer.concat(chunks, received);
    settle(null, { bytes, drained: true });
  };
  const onError = (): void =>
    settle(ProblemException.of('malformed-request', 'The connection broke in the middle.'));
  payload.on('data', onData);
  payload.on('end', onEnd);
  payload.on('error', onError);
}
