import { problem, type Problem } from '@pawl/contracts';
import { problemResponse } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What the router refuses before any handler runs: a path that is badly escaped, or too long. */
export function answerRouterError(
  _error: unknown,
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { status, headers, body } = problemResponse(
    problem(
      'malformed-address',
      'The path is not well formed; an address is written as it is, without "%" escapes.',
    ),
  );
  reply.code(status).headers(headers).send(Buffer.from(body));
}

/** RFC 9110 §10.1.1: `Expect` knows `100-continue`, which Node answers by itself. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body } = problemResponse(
    problem('expectation-failed', 'Expect: 100-continue is all that can be expected here.'),
  );
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

const WHAT: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: problem('malformed-request', 'The headers or the path are too long.'),
  ERR_HTTP_REQUEST_TIMEOUT: problem('request-timeout', 'The request did not arrive in time.'),
};
const NOT_HTTP = problem('malformed-request', 'This is not a well-formed HTTP request.');

/** What is not HTTP at all, too long a head, or too slow: answered if possible, then cut off. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { status, headers, body } = problemResponse(WHAT[error.code ?? ''] ?? NOT_HTTP);
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}
