import { settledWithin, type Timer, type TimerHandle } from '@pawl/kernel';

export interface KeepLookingOptions {
  readonly endpoints: readonly string[];
  /** Sends what is to be sent, and answers after how many milliseconds there is more to do, or `null`. */
  readonly deliver: (endpoint: string) => Promise<number | null>;
  /** From the end of one look at an endpoint to the next that nobody asked for, at most. */
  readonly everyMs: number;
  readonly timer: Timer;
  /** A look that nobody asked for failed; the next one is due as always. */
  readonly failed: (endpoint: string, error: unknown) => void;
}

export interface Looking {
  /** A look that somebody asked for, which puts off the next one. */
  deliver(endpoint: string): Promise<number | null>;
  /** Looks by itself at once. */
  now(endpoint: string): void;
  /** Begins no further look, and waits `CLOSE_GRACE_MS` at most for those that it began. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 2_000;

/**
 * Looks at each endpoint by this node's own timer when nobody asked for so long: a job queue that is away
 * holds nothing up. Which of several nodes sends is settled where they look.
 */
export function keepLooking(options: KeepLookingOptions): Looking {
  const { endpoints, everyMs, timer } = options;
  const due = new Map<string, TimerHandle>();
  const looking = new Set<Promise<void>>();
  let closed = false;
  const putOff = (endpoint: string, delayMs: number): void => {
    due.get(endpoint)?.cancel();
    if (closed || !endpoints.includes(endpoint)) return;
    due.set(
      endpoint,
      timer.after(Math.min(delayMs, everyMs), () => begin(endpoint)),
    );
  };
  const begin = (endpoint: string): void => {
    const look = lookUnasked(endpoint).finally(() => looking.delete(look));
    looking.add(look);
  };
  const lookUnasked = async (endpoint: string): Promise<void> => {
    let againMs: number | null = null;
    try {
      againMs = await options.deliver(endpoint);
    } catch (error) {
      if (!closed) options.failed(endpoint, error);
    }
    putOff(endpoint, againMs ?? everyMs);
  };
  for (const endpoint of endpoints) putOff(endpoint, everyMs);
  return {
    deliver: async (endpoint) => {
      try {
        return await options.deliver(endpoint);
      } finally {
        putOff(endpoint, everyMs);
      }
    },
    now: (endpoint) => putOff(endpoint, 0),
    close: async () => {
      closed = true;
      for (const one of due.values()) one.cancel();
      await settledWithin(Promise.all(looking), CLOSE_GRACE_MS, timer);
    },
  };
}
