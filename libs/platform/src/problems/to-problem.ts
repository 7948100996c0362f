import { HttpException } from '@nestjs/common';
import { problem, type Problem, type ProblemCode } from '@pawl/contracts';
import { ProblemException } from './problem.exception.js';

const BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  400: 'malformed-request',
  404: 'not-found',
  405: 'method-not-allowed',
  408: 'request-timeout',
  413: 'too-large',
  414: 'malformed-request',
  415: 'wrong-content-type',
  429: 'too-many-requests',
};

/** Text of an unexpected failure: what went wrong inside is for the log, not for the caller. */
const INTERNAL = 'Something went wrong inside; the log says what. Trying again may help.';

export interface Judged {
  readonly problem: Problem;
  /** The failure was not expected and belongs in the log. */
  readonly unexpected: boolean;
}

/** Turns whatever was thrown on the way to an answer into the problem that the caller reads. */
export function toProblem(thrown: unknown): Judged {
  if (thrown instanceof ProblemException) return { problem: thrown.problem, unexpected: false };
  if (thrown instanceof HttpException) {
    const code = BY_STATUS[thrown.getStatus()];
    if (code !== undefined) {
      return { problem: problem(code, capitalised(thrown.message)), unexpected: false };
    }
  }
  return { problem: problem('internal', INTERNAL), unexpected: true };
}

function capitalised(message: string): string {
  return message === '' ? 'The request cannot be understood.' : message;
}
