import { LIMITS } from '@pawl/contracts';
import { ProblemException } from '@pawl/platform';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { BodyGate, BodyHold } from './body-gate.js';

/** Why a body was thrown away: it passed `LIMITS.requestBytes`, or too many are held already. */
export type BodyRefusal = 'too-large' | 'no-room';

/**
 * A request body as it came, before anything was made of it; `drained` says whether it was read to
 * its end, so that the connection can go on.
 */
export interface RawBody {
  readonly bytes: Buffer | BodyRefusal;
  readonly drained: boolean;
}

/**
 * A body that is refused is read to its end up to here and thrown away: a client that is cut off
 * while it sends sees a broken connection instead of the answer.
 */
const DRAIN_BYTES = 16 * 1024 * 1024;

const EMPTY: RawBody = { bytes: Buffer.alloc(0), drained: true };

const HOLDS = new WeakMap<FastifyRequest, BodyHold>();

/**
 * Replaces Fastify's parsers: bodies of any content type reach the controllers as {@link RawBody}, as
 * far as the gate has room for them.
 */
export function acceptRawBodies(server: FastifyInstance, gate: BodyGate): void {
  server.addHook('preParsing', (request, reply, payload, done) => {
    if (hasBody(request.raw)) {
      const hold = gate.hold();
      HOLDS.set(request, hold);
      if (reply.raw.closed) hold.end();
      else reply.raw.once('close', () => hold.end());
    }
    done(null, payload);
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (request, payload, done) => {
    readBody(payload, HOLDS.get(request) ?? gate.hold(), done);
  });
}

export function rawBodyOf(request: FastifyRequest): RawBody {
  return (request.body as RawBody | null | undefined) ?? EMPTY;
}

/**
 * Does what the body of a request was sent for, when its turn comes; `large` says that it takes much
 * computing although the body is small. The work calls `leave` once all that it still does is to wait
 * for another node. See `BodyHold.work`.
 */
export async function workOnBody<T>(
  request: FastifyRequest,
  work: (leave: () => void) => Promise<T>,
  large = false,
): Promise<T> {
  const hold = HOLDS.get(request);
  return hold === undefined ? work(() => undefined) : hold.work(work, { large });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || announcedBytes(headers) > 0;
}

function announcedBytes(headers: IncomingMessage['headers']): number {
  return Number(headers['content-length'] ?? 0);
}

type Done = (error: Error | null, body?: RawBody) => void;

function readBody(payload: IncomingMessage, hold: BodyHold, done: Done): void {
  const announced = announcedBytes(payload.headers);
  let refusal = judge(hold, announced);
  if (announced > DRAIN_BYTES) {
    done(null, { bytes: 'too-large', drained: false });
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
    refusal ??= judge(hold, Math.max(received, announced));
    if (refusal === null) chunks.push(chunk);
    else chunks.length = 0;
    if (received > DRAIN_BYTES) settle(null, { bytes: 'too-large', drained: false });
  };
  const onEnd = (): void =>
    settle(null, { bytes: refusal ?? Buffer.concat(chunks, received), drained: true });
  const onError = (): void => {
    hold.release();
    settle(ProblemException.of('malformed-request', 'The connection broke in the middle.'));
  };
  payload.on('data', onData);
  payload.on('end', onEnd);
  payload.on('error', onError);
}

/** Whether a body of so many bytes is kept (`null`); nothing is held for one that is not. */
function judge(hold: BodyHold, bytes: number): BodyRefusal | null {
  if (bytes <= LIMITS.requestBytes && hold.reserve(bytes)) return null;
  hold.release();
  return bytes > LIMITS.requestBytes ? 'too-large' : 'no-room';
}
