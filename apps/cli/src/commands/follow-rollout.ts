import { setTimeout as delay } from 'node:timers/promises';
import { ProblemError, UnreachableError } from '@pawl/admin-client';
import type { RolloutView } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { NotRunningError } from '../local/own-nodes.js';

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;

/** How the control plane of a followed rollout is; it is told on standard error once each time it goes. */
export interface Connection {
  /** `undefined`: connected. */
  lostBecause?: string;
}

/**
 * The rollout now and whenever it changes, until `signal` ends it. A control plane that goes away
 * after it answered once is looked for again, also at another address where the data folder names
 * one; one that never answered is an error.
 */
export async function* followRollout(
  context: CliContext,
  address: string,
  signal: AbortSignal,
  connection: Connection = {},
): AsyncGenerator<RolloutView> {
  let wasThere = false;
  for (let retryMs = FIRST_RETRY_MS; !signal.aborted;) {
    let reason = 'it ended the stream';
    try {
      const client = await context.client(signal);
      for await (const view of client.watchRollout(address, signal)) {
        wasThere = true;
        retryMs = FIRST_RETRY_MS;
        delete connection.lostBecause;
        yield view;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!wasThere || !mayPass(error)) throw error;
      reason = error.message;
    }
    if (signal.aborted) return;
    if (connection.lostBecause === undefined) {
      context.terminal.err(`the control plane went away (${reason}); reconnecting\n`);
    }
    connection.lostBecause = reason;
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  }
}

/** A control plane that starts refuses until its shards are there. */
function mayPass(error: unknown): error is Error {
  if (error instanceof ProblemError) return error.problem.status >= 500;
  return error instanceof UnreachableError || error instanceof NotRunningError;
}
