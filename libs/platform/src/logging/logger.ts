import { pino, type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from '../settings/settings.js';
import { PatientOutput, processOutput } from './patient-output.js';

export type { Logger } from 'pino';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Put on every line, such as the node's id. */
  readonly base?: Readonly<Record<string, string>>;
  /** Standard output when left out. */
  readonly destination?: DestinationStream;
}

/** Header values and settings that never belong in a log. */
const SECRET_PATHS = ['req.headers.authorization', 'req.headers.cookie'];

/**
 * One JSON object per line: `level` as a word, `time` RFC 3339 with milliseconds, `msg`. Levels by
 * duty: error, someone must act; warn, it healed itself; info, a state changed; debug, development.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: { ...options.base },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_PATHS, censor: '(hidden)' },
  };
  return pino(settings, options.destination ?? standardOutput());
}

let shared: PatientOutput | undefined;

/** Where lines go unless told otherwise; made at its first use, one per process. */
function standardOutput(): PatientOutput {
  shared ??= new PatientOutput(processOutput(process.stdout));
  return shared;
}

/** Resolves when what was logged to standard output is passed on, or after `deadlineMs`. */
export async function flushLog(deadlineMs: number): Promise<void> {
  await shared?.flush(deadlineMs);
}
