import { EndpointTurn, UNSETTLED_MS } from './endpoint-turn.js';
import type { Ended } from './endpoint-turn.js';
import type { WebhookContext } from './webhook-context.js';
import type { WebhookLease } from './webhook-outbox.port.js';
import { SEND_MS } from './webhook-sender.port.js';

/** Outlives one sending, and what is done around it. */
const LEASE_MS = SEND_MS + 5_000;
/** One turn takes about this long at most; the rest is for the next. */
const TURN_MS = 20_000;
/** Another sends there, or nothing is to be sent now. */
const NOT_OURS: Ended = { kind: 'stopped', again: null };

/**
 * Sends the release transitions to endpoints, one after the other and at least once. Several may be asked for
 * the same endpoint at the same time, on any nodes: one of them does it.
 */
export class DeliverWebhooks {
  /** Endpoints at work here; `true`: asked for again meanwhile. */
  readonly #busy = new Map<string, boolean>();
  #stopping = false;

  constructor(private readonly context: WebhookContext) {}

  /** Sends what there is; answers after how many milliseconds there is more to do, or `null`. */
  async run(endpoint: string): Promise<number | null> {
    if (this.#busy.has(endpoint)) {
      this.#busy.set(endpoint, true);
      return null;
    }
    const untilMs = this.context.clock.monotonicMs() + TURN_MS;
    try {
      for (;;) {
        this.#busy.set(endpoint, false);
        const { kind, again } = await this.#turn(endpoint, untilMs);
        const isPaused = kind === 'stopped' && again !== null;
        if (isPaused || this.#busy.get(endpoint) !== true) return again;
      }
    } finally {
      this.#busy.delete(endpoint);
    }
  }

  /** Begins no further sending; one that is cut off then is no failure. */
  stop(): void {
    this.#stopping = true;
  }

  async #turn(endpoint: string, untilMs: number): Promise<Ended> {
    const { outbox, nodeId } = this.context;
    const lease: WebhookLease = { endpoint, holder: nodeId, leaseMs: LEASE_MS };
    for (;;) {
      const cursor = await outbox.take(lease);
      if (cursor === undefined) return NOT_OURS;
      const turn = new EndpointTurn(this.context, {
        ...{ lease, cursor, untilMs, stopping: () => this.#stopping },
        aside: await outbox.readSetAside(endpoint),
      });
      const ended = await turn.run();
      if (ended.kind === 'stopped') return ended;
      await outbox.giveBack(lease);
      // Whoever was refused the lease until now relies on this look.
      const page = await outbox.read(ended.after, 1);
      if (page === undefined) return { kind: 'stopped', again: UNSETTLED_MS };
      if (page.entries.length === 0) return ended;
    }
  }
}
