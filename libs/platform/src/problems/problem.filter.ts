import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Logger } from 'pino';
import { problemResponse } from './problem-response.js';
import { toProblem } from './to-problem.js';

/** The part of a Fastify reply that the filter needs. */
interface Reply {
  readonly sent: boolean;
  code(status: number): Reply;
  headers(values: Readonly<Record<string, string>>): Reply;
  send(body: Buffer): unknown;
}

interface Request {
  readonly method: string;
  readonly url: string;
}

/**
 * Answers whatever a controller, a parser or the router throws as `application/problem+json`. What
 * was not expected is logged whole and answered as `internal`, without a word of what it was.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const { problem, unexpected } = toProblem(thrown);
    if (unexpected) {
      const { method, url } = http.getRequest<Request>();
      this.logger.error({ err: thrown, method, path: url.split('?', 1)[0] }, 'request failed');
    }
    const reply = http.getResponse<Reply>();
    if (reply.sent) return;
    const { status, headers, body } = problemResponse(problem);
    // As bytes: to a string Fastify would add a charset, which this media type does not have.
    reply.code(status).headers(headers).send(Buffer.from(body));
  }
}
