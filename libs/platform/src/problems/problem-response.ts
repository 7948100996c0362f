import { PROBLEMS, problemDocument, type Problem } from '@pawl/contracts';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** Seconds after which a refused caller may try again: an owner moves, a queue drains. */
const RETRY_AFTER_SECONDS = 1;

/** An answer with a problem: status, headers, and the body's JSON text (RFC 9457). */
export interface ProblemResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function problemResponse(problem: Problem): ProblemResponse {
  const { status } = PROBLEMS[problem.code];
  const waits = status === 429 || status === 503;
  return {
    status,
    headers: {
      'content-type': PROBLEM_CONTENT_TYPE,
      'cache-control': 'no-store',
      ...(waits ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {}),
    },
    body: JSON.stringify(problemDocument(problem)),
  };
}
