import type { SweepJobs } from '@pawl/jobs';
import type { Logger } from '@pawl/platform';
import { machineTimer } from '../runtime/machine.js';

const RETRY_MS = 1_000;

/**
 * Starts the sweeps, and tries again for as long as they cannot be started: a node that serves is
 * not given up because PostgreSQL has just gone away. `close` ends the attempts, or what runs.
 */
export function keepSweeping(
  start: () => Promise<SweepJobs>,
  logger: Logger,
): { close(): Promise<void> } {
  let closed = false;
  let wake = (): void => undefined;
  const attempts = async (): Promise<SweepJobs | undefined> => {
    while (!closed) {
      try {
        return await start();
      } catch (error) {
        logger.warn({ err: error }, 'the sweeps cannot be started yet');
        await new Promise<void>((resolve) => {
          wake = resolve;
          machineTimer.after(RETRY_MS, resolve);
        });
      }
    }
    return undefined;
  };
  const starting = attempts();
  return {
    close: async () => {
      closed = true;
      wake();
      await (await starting)?.close();
    },
  };
}
