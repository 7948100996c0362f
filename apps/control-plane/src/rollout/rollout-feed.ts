import { problem, type Address, type Problem } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';

/** One state of a rollout, ready to be sent. */
export interface RolloutEvent {
  /** Grows from event to event, also over restarts of the server. */
  readonly id: number;
  /** JSON text, as `GET /v1/rollout/{address}` answers. */
  readonly data: string;
}

/** Somebody who follows a rollout. Calls must not throw and not wait. */
export interface RolloutListener {
  /** A newer state; whoever is slow may skip states, never go back. */
  deliver(event: RolloutEvent): void;
  /** Nothing has changed for a while. */
  idle(): void;
  /** Nothing more comes. */
  end(): void;
}

/** At most one event in this time: a fleet that acks by the thousand is one picture at a time. */
export const COALESCE_MS = 100;
/** DESIGN §8: proxies and clients take a silent stream for a dead one. */
export const IDLE_MS = 15_000;

const CLOSED = problem('no-owner', 'This node is shutting down; ask another.');

/**
 * The rollout of one address, read once per change however many listen. Ends for all when it cannot
 * be read any more (the shard has moved, say): clients of event streams come back by themselves.
 */
export class RolloutFeed {
  /** Settles once the first state is known, with the problem when there is none. */
  readonly ready: Promise<Problem | null>;
  readonly #listeners = new Set<RolloutListener>();
  #latest: RolloutEvent | undefined;
  #readAtMs = 0;
  #reading = false;
  #dirty = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #idleTimer: NodeJS.Timeout;
  readonly #watch: { readonly stop: () => void };

  constructor(
    private readonly engine: Pick<ConfigEngine, 'getRollout' | 'watchRollout'>,
    private readonly address: Address,
    private readonly onClosed: () => void,
  ) {
    this.#watch = engine.watchRollout(address, () => this.#changed());
    this.#idleTimer = setInterval(() => this.#idle(), IDLE_MS);
    this.ready = this.#read();
  }

  /** The listener hears the state that is known, if one is, and each later one. */
  join(listener: RolloutListener): void {
    this.#listeners.add(listener);
    if (this.#latest !== undefined) listener.deliver(this.#latest);
  }

  leave(listener: RolloutListener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop();
    clearTimeout(this.#timer);
    clearInterval(this.#idleTimer);
    this.onClosed();
    for (const listener of this.#listeners) listener.end();
    this.#listeners.clear();
  }

  #changed(): void {
    if (this.#closed || this.#timer !== undefined) return;
    if (this.#reading) {
      this.#dirty = true;
      return;
    }
    const waitMs = Math.max(0, this.#readAtMs + COALESCE_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#read();
    }, waitMs);
  }

  /** Time alone can change a rollout (a consumer falls silent), so it is read again, too. */
  #idle(): void {
    for (const listener of this.#listeners) listener.idle();
    this.#changed();
  }

  async #read(): Promise<Problem | null> {
    this.#reading = true;
    this.#dirty = false;
    this.#readAtMs = performance.now();
    const failed = await this.#readOnce();
    this.#reading = false;
    if (this.#closed && this.#latest === undefined) return failed ?? CLOSED;
    if (failed !== null) this.close();
    else if (this.#dirty) this.#changed();
    return failed;
  }

  async #readOnce(): Promise<Problem | null> {
    try {
      const outcome = await this.engine.getRollout(this.address);
      if (!outcome.ok) return outcome.problem;
      this.#publish(JSON.stringify(outcome.value));
      return null;
    } catch {
      return problem('internal', 'The rollout cannot be read just now.');
    }
  }

  #publish(data: string): void {
    if (this.#closed || data === this.#latest?.data) return;
    const event = { id: Math.max((this.#latest?.id ?? 0) + 1, Date.now()), data };
    this.#latest = event;
    for (const listener of this.#listeners) listener.deliver(event);
  }
}
