import { setTimeout as delay } from 'node:timers/promises';
import { ProblemError, UnreachableError } from '@pawl/admin-client';
import type { RolloutView } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { NotRunningError, StartingError } from '../local/own-nodes.js';

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;
const TOO_MANY_REQUESTS = 429;

/** How the control plane of a followed rollout is; it is told on standard error once each time it goes. */
export interface Connection {
  /** `undefined`: connected. */
  lostBecause?: string;
  /** It answered once, or was seen starting: what may pass is waited for from then on. */
  expected?: true;
}

/**
 * What `ask` answers; where Pawl is starting it is asked again until it serves, which standard error
 * is told once, or until `signal` ends it, whose reason is thrown.
 */
export async function onceStarted<T>(
  context: CliContext,
  ask: () => Promise<T>,
  signal: AbortSignal,
  connection: Connection,
): Promise<T> {
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = nextRetryMs(retryMs)) {
    try {
      const answer = await ask();
      delete connection.lostBecause;
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StartingError && connection.expected === undefined) {
        context.terminal.err(`${error.state}; waiting for it\n`);
        connection.expected = true;
      }
      if (connection.expected === undefined || !mayPass(error)) throw error;
      connection.lostBecause = error.message;
    }
    await delay(retryMs, undefined, { signal });
  }
}

/**
 * The rollout now and whenever it changes, until `signal` ends it. A control plane that goes away
 * after it answered once is looked for again, also at another address where the data folder names
 * one; one that never answered is an error, unless it was seen starting.
 */
export async function* followRollout(
  context: CliContext,
  address: string,
  signal: AbortSignal,
  connection: Connection = {},
): AsyncGenerator<RolloutView> {
  for (let retryMs = FIRST_RETRY_MS; !signal.aborted;) {
    let reason = 'it ended the stream';
    try {
      const client = await context.client(signal);
      for await (const view of client.watchRollout(address, signal)) {
        connection.expected = true;
        retryMs = FIRST_RETRY_MS;
        delete connection.lostBecause;
        yield view;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (connection.expected === undefined || !mayPass(error)) throw error;
      reason = error.message;
    }
    if (signal.aborted) return;
    if (connection.lostBecause === undefined) {
      context.terminal.err(`the control plane went away (${reason}); reconnecting\n`);
    }
    connection.lostBecause = reason;
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
    retryMs = nextRetryMs(retryMs);
  }
}

function nextRetryMs(retryMs: number): number {
  return Math.min(retryMs * 2, LONGEST_RETRY_MS);
}

/** A control plane that starts refuses until its shards are there, and one that takes over may have too much to do. */
function mayPass(error: unknown): error is Error {
  if (error instanceof ProblemError) {
    const { status } = error.problem;
    return status >= 500 || status === TOO_MANY_REQUESTS;
  }
  return error instanceof UnreachableError || error instanceof NotRunningError;
}
