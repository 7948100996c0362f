import {
  BadRequestException,
  HttpException,
  NotFoundException,
  type ArgumentsHost,
} from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../logging/logger.js';
import { ProblemException } from './problem.exception.js';
import { ProblemFilter } from './problem.filter.js';

function answerTo(thrown: unknown, sent = false) {
  const lines: string[] = [];
  const answer = { status: 0, headers: {} as Record<string, string>, body: '' };
  const reply = {
    sent,
    code: (status: number) => ((answer.status = status), reply),
    headers: (values: Record<string, string>) => ((answer.headers = values), reply),
    send: (body: Buffer) => void (answer.body = body.toString()),
  };
  const host = {
    switchToHttp: () => ({
      getRequest: () => ({ method: 'PUT', url: '/v1/config/a?message=private' }),
      getResponse: () => reply,
    }),
  } as unknown as ArgumentsHost;
  const logger = createLogger({
    level: 'debug',
    destination: { write: (line) => void lines.push(line) },
  });
  new ProblemFilter(logger).catch(thrown, host);
  const document =
    answer.body === '' ? undefined : (JSON.parse(answer.body) as Record<string, unknown>);
  return { ...answer, document, lines };
}

describe('ProblemFilter', () => {
  it('renders a problem with its extras by RFC 9457', () => {
    const answer = answerTo(
      ProblemException.of('version-mismatch', 'Read again.', { currentVersion: 4 }),
    );
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.document).toEqual({
      type: 'urn:pawl:problem:version-mismatch',
      title: 'Another version is there',
      status: 412,
      code: 'version-mismatch',
      detail: 'Read again.',
      currentVersion: 4,
    });
    expect(answer.lines).toEqual([]);
  });

  it.each([
    ['no-owner', 503, '1'],
    ['too-many-requests', 429, '1'],
    ['not-found', 404, undefined],
  ] as const)('%s says when to try again', (code, status, retryAfter) => {
    const answer = answerTo(ProblemException.of(code, 'x'));
    expect(answer.status).toBe(status);
    expect(answer.headers['retry-after']).toBe(retryAfter);
  });

  it.each([
    [new NotFoundException('Cannot GET /x'), 'not-found'],
    [new BadRequestException('bad'), 'malformed-request'],
    [new HttpException('Unsupported', 415), 'wrong-content-type'],
  ])('knows what Nest and Fastify throw: %s', (thrown, code) => {
    expect(answerTo(thrown).document).toMatchObject({ code });
  });

  it.each([new Error('password=hunter2'), new HttpException('teapot hunter2', 418), 'hunter2'])(
    'logs the unexpected and does not leak it: %s',
    (thrown) => {
      const answer = answerTo(thrown);
      expect(answer.document).toMatchObject({ status: 500, code: 'internal' });
      expect(answer.body).not.toContain('hunter2');
      expect(answer.lines.join('')).toContain('hunter2');
      expect(answer.lines.join('')).not.toContain('private');
    },
  );

  it('leaves an answer alone that was sent already', () => {
    expect(answerTo(new Error('late'), true).status).toBe(0);
  });
});
