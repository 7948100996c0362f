import type { ProblemDocument } from '@pawl/contracts';

/** What the process ends with; programs rely on these. */
export const EXIT = {
  done: 0,
  error: 1,
  usage: 2,
  /** `wait`: not there in time. */
  timedOut: 3,
  /** `wait`: consumers rejected the version; `preflight`: not all would take it. */
  rejected: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with one clear sentence on standard error. `problem`: the refusal behind it. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.error,
    readonly problem?: ProblemDocument,
  ) {
    super(message);
  }
}
