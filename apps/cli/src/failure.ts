import { ProblemError, UnreachableError } from '@pawl/admin-client';
import type { ProblemDocument } from '@pawl/contracts';
import { stringify } from 'yaml';
import { CliError, EXIT } from './exit-codes.js';
import type { ExitCode } from './exit-codes.js';
import { plainText } from './output.js';
import type { OutputFormat } from './output.js';
import { problemText } from './problem-text.js';

/** Why a command did not do what it was to do. */
export interface Failure {
  readonly message: string;
  readonly exitCode: ExitCode;
  /** What the control plane refused with. */
  readonly problem?: ProblemDocument;
}

/** The command line names these. */
const NAMED_BY_USER: ReadonlySet<string> = new Set(['malformed-address', 'unknown-strategy']);

/** `hint`: what to do when nobody answers. */
export function failureOf(error: unknown, hint: string): Failure {
  if (error instanceof CliError) {
    const { message, exitCode, problem } = error;
    return { message, exitCode, ...(problem === undefined ? {} : { problem }) };
  }
  if (error instanceof ProblemError) {
    const { problem } = error;
    const exitCode = NAMED_BY_USER.has(problem.code) ? EXIT.usage : EXIT.error;
    return { message: problemText(problem), exitCode, problem };
  }
  if (error instanceof UnreachableError) {
    return { message: `${error.message}${hint}`, exitCode: EXIT.error };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { message, exitCode: EXIT.error };
}

/**
 * As standard error has it: a sentence for people, or for machines one line of JSON, the last one,
 * `{"error":{"message","exitCode","problem"?}}`, and the same as YAML.
 */
export function failureText(failure: Failure, format: OutputFormat): string {
  if (format === 'json') return `${JSON.stringify({ error: failure })}\n`;
  if (format === 'yaml') return stringify({ error: failure });
  return `pawl: ${plainText(failure.message.trimEnd())}\n`;
}
