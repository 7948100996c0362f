import type { EngineLog } from '@pawl/engine';
import type { Logger } from '@pawl/platform';

/** The engine's lines as lines of our logger. */
export function engineLog(logger: Logger): EngineLog {
  return {
    debug: (message, fields) => logger.debug({ ...fields }, message),
    info: (message, fields) => logger.info({ ...fields }, message),
    warn: (message, fields) => logger.warn({ ...fields }, message),
    error: (message, fields) => logger.error({ ...fields }, message),
  };
}
