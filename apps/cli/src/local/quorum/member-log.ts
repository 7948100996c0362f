import { createLogger, PatientOutput, processOutput } from '@pawl/platform';
import type { LogLevel } from '@pawl/platform';

type Level = 'info' | 'warn' | 'error';

/** What a member tells while it runs. Never waits for whoever reads it. */
export type MemberLog = Readonly<Record<Level, (text: string) => void>> & {
  /** Resolves when all is passed on, or after `deadlineMs`. */
  flush(deadlineMs: number): Promise<void>;
};

export interface MemberLogOptions {
  readonly format: 'text' | 'json';
  readonly level: LogLevel;
  readonly nodeId: string;
  /** Standard output when left out. */
  readonly output?: PatientOutput;
}

const SEVERITY: Readonly<Record<LogLevel, number>> = {
  trace: 0,
  debug: 1,
  info: 2,
  warn: 3,
  error: 4,
  fatal: 5,
  silent: 6,
};

/** Lines for people, `<time> <level> <text>`, or the JSON lines of the control plane's log. */
export function memberLog(options: MemberLogOptions): MemberLog {
  const { format, level, nodeId } = options;
  const output = options.output ?? new PatientOutput(processOutput(process.stdout));
  const flush = (deadlineMs: number): Promise<void> => output.flush(deadlineMs);
  if (format === 'json') {
    const logger = createLogger({ level, base: { node: nodeId }, destination: output });
    return {
      info: (text) => logger.info(text),
      warn: (text) => logger.warn(text),
      error: (text) => logger.error(text),
      flush,
    };
  }
  const line = (of: Level) => (text: string) => {
    if (SEVERITY[of] < SEVERITY[level]) return;
    output.write(`${new Date().toISOString()} ${of.padEnd(5)} ${text.replaceAll('\n', ' ')}\n`);
  };
  return { info: line('info'), warn: line('warn'), error: line('error'), flush };
}
