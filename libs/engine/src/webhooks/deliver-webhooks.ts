import type { Clock } from '@pawl/kernel';
import type { Sha256 } from '@pawl/contracts';
import type { EngineLog } from '../engine-context.js';
import type { Installation, StoredHistoryEntry } from '../sharding/truth-store.port.js';
import { releaseEvent } from './release-event.js';
import { SEND_MS } from './webhook-sender.port.js';
import type { WebhookSender } from './webhook-sender.port.js';
import type { WebhookCursor, WebhookLease, WebhookOutbox } from './webhook-outbox.port.js';

export interface WebhookObserver {
  delivered(endpoint: string): void;
  /** A sending failed; it is tried again. */
  failed(endpoint: string): void;
  /** So many events were too old to be sent. */
  givenUp(endpoint: string, events: number): void;
}

export interface WebhookContext {
  readonly installation: Installation;
  readonly outbox: WebhookOutbox;
  readonly sender: WebhookSender;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly parseTime: (text: string) => number;
  readonly sha256: Sha256;
  readonly log: EngineLog;
  readonly observer: WebhookObserver;
  readonly nodeId: string;
}

const PAGE = 100;
/** Outlives one sending, and what is done around it. */
const LEASE_MS = SEND_MS + 5_000;
/** Events that are older by the store's clock are not sent any more, milliseconds. */
export const GIVE_UP_MS = 86_400_000;
/** Between the first two tries; twice as long after each, up to the longest, milliseconds. */
export const FIRST_RETRY_MS = 1_000;
export const LONGEST_RETRY_MS = 300_000;
/** One turn takes about this long at most; the rest is for the next. */
const TURN_MS = 20_000;

/** `again`: how long until there is more to do, milliseconds. */
type Ended =
  | { readonly kind: 'nothing-more'; readonly after: string }
  | { readonly kind: 'stopped'; readonly again: number | null };

/** Another sends there now. */
const LOST: Ended = { kind: 'stopped', again: null };
/** When a transaction takes long that may commit something before what is there, milliseconds. */
const UNSETTLED_MS = 500;

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
        const again = await this.#turn(endpoint, untilMs);
        if (again !== null || this.#busy.get(endpoint) !== true) return again;
      }
    } finally {
      this.#busy.delete(endpoint);
    }
  }

  /** Begins no further sending; one that is cut off then is no failure. */
  stop(): void {
    this.#stopping = true;
  }

  async #turn(endpoint: string, untilMs: number): Promise<number | null> {
    const { outbox, nodeId } = this.context;
    const lease: WebhookLease = { endpoint, holder: nodeId, leaseMs: LEASE_MS };
    for (;;) {
      const cursor = await outbox.take(lease);
      if (cursor === undefined) return null;
      const ended = await this.#drain(lease, cursor, untilMs);
      if (ended.kind === 'stopped') return ended.again;
      await outbox.giveBack(lease);
      // Whoever was refused the lease until now relies on this look.
      const page = await outbox.read(ended.after, 1);
      if (page === undefined) return UNSETTLED_MS;
      if (page.entries.length === 0) return null;
    }
  }

  async #drain(
    lease: WebhookLease,
    { after: from, failures, takenMs }: WebhookCursor,
    untilMs: number,
  ): Promise<Ended> {
    const { outbox, clock } = this.context;
    let after = from;
    let failed = failures;
    const sinceMs = takenMs - GIVE_UP_MS;
    for (;;) {
      if (this.#stopping) return this.#stopped(lease, null);
      if (clock.monotonicMs() > untilMs) return this.#stopped(lease, 0);
      const page = await outbox.read(after, PAGE);
      if (page === undefined) return this.#stopped(lease, UNSETTLED_MS);
      const { fresh, old } = this.#sorted(page.entries, sinceMs);
      const oldest = old.at(-1);
      if (oldest !== undefined) {
        if (!(await outbox.advance(lease, after, oldest.sequence))) return LOST;
        [after, failed] = [oldest.sequence, 0];
        this.#givenUp(lease.endpoint, old.length);
      }
      for (const entry of fresh) {
        if (this.#stopping) return this.#stopped(lease, null);
        if (clock.monotonicMs() > untilMs) return this.#stopped(lease, 0);
        if (!(await this.#send(lease, entry, failed))) {
          if (this.#stopping) return this.#stopped(lease, null);
          const again = retryMs(failed);
          await outbox.retryLater(lease, again);
          return { kind: 'stopped', again };
        }
        if (!(await outbox.advance(lease, after, entry.sequence))) return LOST;
        [after, failed] = [entry.sequence, 0];
      }
      if (after !== page.upTo && !(await outbox.advance(lease, after, page.upTo))) return LOST;
      if (BigInt(page.upTo) < BigInt(after)) this.#shrunk(lease.endpoint);
      after = page.upTo;
      if (page.entries.length < PAGE) return { kind: 'nothing-more', after };
    }
  }

  async #stopped(lease: WebhookLease, again: number | null): Promise<Ended> {
    await this.context.outbox.giveBack(lease);
    return { kind: 'stopped', again };
  }

  /** The old ones are those before the first that is to be sent. */
  #sorted(
    entries: readonly StoredHistoryEntry[],
    sinceMs: number,
  ): {
    readonly old: readonly StoredHistoryEntry[];
    readonly fresh: readonly StoredHistoryEntry[];
  } {
    const first = entries.findIndex(({ at }) => this.context.parseTime(at) >= sinceMs);
    const olds = first < 0 ? entries.length : first;
    return { old: entries.slice(0, olds), fresh: entries.slice(olds) };
  }

  #givenUp(endpoint: string, events: number): void {
    this.context.observer.givenUp(endpoint, events);
    this.context.log.warn('webhooks were given up, older than a day', { endpoint, events });
  }

  async #send(
    { endpoint }: WebhookLease,
    entry: StoredHistoryEntry,
    failed: number,
  ): Promise<boolean> {
    const { sender, observer, log } = this.context;
    const event = releaseEvent(entry, this.context);
    const sent = await sender.send(endpoint, event);
    const fields = { endpoint, event: event.id, address: entry.address };
    if (sent.ok) {
      observer.delivered(endpoint);
      if (failed > 0) log.info('a webhook is taken again', { ...fields, failures: failed });
      return true;
    }
    if (this.#stopping) return false;
    observer.failed(endpoint);
    if (failed === 0) {
      log.warn('a webhook was not taken; will be tried again', { ...fields, reason: sent.reason });
    }
    return false;
  }

  #shrunk(endpoint: string): void {
    this.context.log.warn('the history ends before what was sent: PostgreSQL was put back', {
      endpoint,
    });
  }
}

function retryMs(failures: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 30));
}
