import { LIMITS } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import type { CommandContext } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyRequest } from 'fastify';
import { rawPath, rawQuery } from './request-address.js';

export const ANONYMOUS = 'anonymous';

/** Control characters and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;
const PRINTABLE_ASCII = new RegExp(`^[\\x20-\\x7e]{1,${LIMITS.idempotencyKeyLength}}$`);

/** Who asks and how a retry is recognised; `body` is the text of the request's body. */
export function commandContext(request: FastifyRequest, body: string): CommandContext {
  const actor = actorOf(request);
  const key = single(request, 'idempotency-key');
  if (key === undefined) return { actor };
  if (!PRINTABLE_ASCII.test(key)) {
    throw ProblemException.of(
      'malformed-request',
      `Idempotency-Key is 1 to ${LIMITS.idempotencyKeyLength} printable ASCII characters.`,
    );
  }
  return {
    actor,
    idempotency: {
      key: `${request.method} ${rawPath(request)} ${key}`,
      requestHash: requestHash(request, body),
    },
  };
}

/** Refuses control characters (PostgreSQL holds no NUL, terminals obey the rest) and what is long. */
export function plainText(name: string, value: string, maxLength: number): string {
  if (value.length > maxLength) {
    throw ProblemException.of('malformed-request', `${name} has at most ${maxLength} characters.`);
  }
  if (UNPRINTABLE.test(value)) {
    throw ProblemException.of('malformed-request', `${name} holds a control character.`);
  }
  return value;
}

/** Covers everything, besides the idempotency key and the path, that decides what a request does. */
function requestHash(request: FastifyRequest, body: string): string {
  const { headers } = request;
  return sha256(
    JSON.stringify([
      request.method,
      rawPath(request),
      rawQuery(request),
      headers['content-type'] ?? null,
      headers['if-match'] ?? null,
      headers['if-none-match'] ?? null,
      body,
    ]),
  );
}

function actorOf(request: FastifyRequest): string {
  const header = single(request, 'x-pawl-actor');
  if (header === undefined) return ANONYMOUS;
  const actor = Buffer.from(header, 'latin1').toString('utf8').trim();
  if (actor === '') throw ProblemException.of('malformed-request', 'X-Pawl-Actor is empty.');
  if (actor.includes('\uFFFD')) {
    throw ProblemException.of('malformed-request', 'X-Pawl-Actor is not UTF-8.');
  }
  return plainText('X-Pawl-Actor', actor, LIMITS.actorLength);
}

function single(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
