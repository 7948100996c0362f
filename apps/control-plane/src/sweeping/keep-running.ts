import { backgroundTimer } from '@pawl/contracts/node';
import type { Logger } from '@pawl/platform';

const RETRY_MS = 1_000;

/** Timed work that is on its way, or runs. */
export interface Running {
  /** Ends the attempts, or what runs. */
  close(): Promise<void>;
}

/**
 * Starts timed work, and tries again for as long as it cannot be started: a node that serves is not given
 * up because a queue's server has just gone away. Says so once, and when it has come back.
 */
export function keepRunning(what: string, start: () => Promise<Running>, logger: Logger): Running {
  let closed = false;
  let wake = (): void => undefined;
  const attempts = async (): Promise<Running | undefined> => {
    for (let failures = 0; !closed; failures += 1) {
      try {
        const running = await start();
        if (failures > 0) logger.info({ what }, 'timed work is started');
        return running;
      } catch (error) {
        if (failures === 0) logger.warn({ what, err: error }, 'timed work cannot be started yet');
        await new Promise<void>((resolve) => {
          wake = resolve;
          backgroundTimer.after(RETRY_MS, resolve);
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
