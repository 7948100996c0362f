import type { Problem, ProblemCode } from '@pawl/contracts';
import { problem } from '@pawl/contracts';

/** A problem on its way to the problem filter. Expected, so it is not logged as an error. */
export class ProblemException extends Error {
  override readonly name = 'ProblemException';

  constructor(readonly problem: Problem) {
    super(`${problem.code}: ${problem.detail}`);
  }

  static of(
    code: ProblemCode,
    detail: string,
    extra: Omit<Problem, 'code' | 'detail'> = {},
  ): ProblemException {
    return new ProblemException(problem(code, detail, extra));
  }
}
