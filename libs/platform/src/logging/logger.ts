import { pino, type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from '../settings/settings.js';

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
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
