import type { ProblemDocument } from '@pawl/contracts';

/** The control plane refused a request; `problem` says what to do next (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(readonly problem: ProblemDocument) {
    super(problem.detail);
  }
}

/** No answer: the control plane is not there, or did not answer in time. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}
