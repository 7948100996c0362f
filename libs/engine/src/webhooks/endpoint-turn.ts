import type { AddressText } from '@pawl/contracts';
import { releaseEvent } from './release-event.js';
import { retryWaitMs } from './retry-wait.js';
import type { WebhookContext } from './webhook-context.js';
import type { OutboxEntry, SetAside, WebhookCursor, WebhookLease } from './webhook-outbox.port.js';
import type { NotTaken, SentWebhook } from './webhook-sender.port.js';

const PAGE = 100;
/** Events that were written longer ago by the store's clock are not sent any more, milliseconds. */
export const GIVE_UP_MS = 86_400_000;
/** Nor those that are refused, and not because of the hour, milliseconds. */
export const GIVE_UP_REFUSED_MS = 3_600_000;
/** What waited behind another of its address is tried once, unless it is older than this, milliseconds. */
const LEAVE_MS = 2 * GIVE_UP_MS;
const OLD = 'older than a day';
const REFUSED_LONG = 'refused for an hour';
/** As often an endpoint may fail before the event that it fails at no longer holds up the others: a minute. */
export const TRIES = 7;
/** As often, an hour or so, and it is said to have failed for long. */
export const LONG_FAILURES = 20;
/** Addresses of an endpoint that are set aside; with more of them it is the endpoint that fails. */
export const MAX_ASIDE = 100;
/** When a transaction takes long that may commit something before what is there, milliseconds. */
export const UNSETTLED_MS = 500;

/** `again`: how long until there is more to do, milliseconds. */
export type Ended =
  | { readonly kind: 'nothing-more'; readonly after: string; readonly again: number | null }
  | { readonly kind: 'stopped'; readonly again: number | null };

export interface TurnOptions {
  readonly lease: WebhookLease;
  readonly cursor: WebhookCursor;
  readonly aside: readonly SetAside[];
  /** The end of the turn, monotonic. */
  readonly untilMs: number;
  readonly stopping: () => boolean;
}

interface Lane {
  readonly address: AddressText;
  from: string;
  failures: number;
  reason: string;
  dueAtMs: number;
}

/** Another sends there now. */
const LOST: Ended = { kind: 'stopped', again: null };

/**
 * One holder's turn at an endpoint: everything in the order of the history. Where an event is refused, or
 * fails again and again, its address is set aside, so that what follows there waits for it and the rest
 * does not; what was set aside comes when there is nothing else.
 */
export class EndpointTurn {
  readonly #lanes = new Map<AddressText, Lane>();
  /** The place as it is stored. */
  #after: string;
  /** What was passed over since then. */
  #reached: string;
  #old = 0;
  #failures: number;

  constructor(
    private readonly context: WebhookContext,
    private readonly options: TurnOptions,
  ) {
    const { cursor, aside } = options;
    this.#after = this.#reached = cursor.after;
    this.#failures = cursor.failures;
    for (const { dueInMs, ...one } of aside) {
      this.#lanes.set(one.address, { ...one, dueAtMs: this.#nowMs + dueInMs });
    }
  }

  async run(): Promise<Ended> {
    const { outbox } = this.context;
    for (;;) {
      const over = await this.#over();
      if (over !== undefined) return over;
      const page = await outbox.read(this.#after, PAGE);
      if (page === undefined) return this.#stopped(UNSETTLED_MS);
      for (const one of page.entries) {
        const ended = await this.#passOrSend(one);
        if (ended !== undefined) return ended;
      }
      if (BigInt(page.upTo) < BigInt(this.#after)) this.#shrunk();
      if (!(await this.#moveTo(page.upTo))) return LOST;
      if (page.entries.length < PAGE) break;
    }
    return this.#sendSetAside();
  }

  async #passOrSend(one: OutboxEntry): Promise<Ended | undefined> {
    const { address, sequence } = one.entry;
    const isOld = one.ageMs > GIVE_UP_MS;
    if (isOld || this.#lanes.has(address)) {
      this.#reached = sequence;
      if (!this.#lanes.has(address)) this.#old += 1;
      return undefined;
    }
    if (!(await this.#moveTo(this.#reached))) return LOST;
    const sent = await this.#send(one);
    if (!('ok' in sent)) return sent;
    if (!sent.ok) return this.#notTaken(one, sent);
    return (await this.#moveTo(sequence)) ? undefined : LOST;
  }

  async #notTaken(one: OutboxEntry, sent: NotTaken): Promise<Ended | undefined> {
    const { address, sequence } = one.entry;
    const isRefused = sent.kind === 'refused';
    if (this.#lanes.size < MAX_ASIDE && (isRefused || this.#failures + 1 >= TRIES)) {
      const failures = isRefused ? 1 : this.#failures + 1;
      const lane = { address, from: sequence, failures, reason: sent.reason, dueAtMs: 0 };
      if (!(await this.#putAside(lane, this.#waitMs(failures - 1, sent)))) return LOST;
      const fields = { address, reason: sent.reason };
      this.#log('warn', 'a webhook was set aside, with what follows at its address', fields);
    } else if (isRefused && one.ageMs > GIVE_UP_REFUSED_MS) {
      this.#givenUp(1, REFUSED_LONG);
    } else {
      return this.#endpointFailed(sent);
    }
    if (!(await this.#moveTo(sequence))) return LOST;
    return isRefused ? undefined : this.#endpointFailed(sent);
  }

  async #sendSetAside(): Promise<Ended> {
    const due = [...this.#lanes.values()].sort((a, b) => a.dueAtMs - b.dueAtMs);
    for (const lane of due) {
      while (this.#lanes.has(lane.address) && lane.dueAtMs <= this.#nowMs) {
        const ended = await this.#sendNextOf(lane);
        if (ended !== undefined) return ended;
      }
    }
    const dueAtMs = Math.min(...[...this.#lanes.values()].map((lane) => lane.dueAtMs));
    const again = Number.isFinite(dueAtMs) ? Math.max(0, Math.ceil(dueAtMs - this.#nowMs)) : null;
    return { kind: 'nothing-more', after: this.#after, again };
  }

  async #sendNextOf(lane: Lane): Promise<Ended | undefined> {
    const { outbox } = this.context;
    const one = await outbox.readNext(lane.address, lane.from, this.#after);
    if (one === undefined) {
      this.#lanes.delete(lane.address);
      return (await outbox.takeBack(this.options.lease, lane.address)) ? undefined : LOST;
    }
    if (one.ageMs > LEAVE_MS) return this.#goOn(lane, one, 'older than two days');
    const sent = await this.#send(one);
    if (!('ok' in sent)) return sent;
    if (sent.ok) return this.#goOn(lane, one);
    const isRefused = sent.kind === 'refused';
    if (one.ageMs > (isRefused ? GIVE_UP_REFUSED_MS : GIVE_UP_MS)) {
      const lost = await this.#goOn(lane, one, isRefused ? REFUSED_LONG : OLD);
      if (lost !== undefined) return lost;
    } else {
      const waitMs = this.#waitMs(lane.failures, sent);
      Object.assign(lane, { failures: lane.failures + 1, reason: sent.reason });
      if (!(await this.#putAside(lane, waitMs))) return LOST;
    }
    // As long as it takes nothing at all it is the endpoint that fails.
    return !isRefused && this.#failures > 0 ? this.#endpointFailed(sent) : undefined;
  }

  /** To what follows at an address. */
  async #goOn(lane: Lane, { entry }: OutboxEntry, givenUp?: string): Promise<Ended | undefined> {
    Object.assign(lane, { from: String(BigInt(entry.sequence) + 1n), failures: 0 });
    if (!(await this.#putAside(lane, 0))) return LOST;
    if (givenUp !== undefined) this.#givenUp(1, givenUp);
    return undefined;
  }

  #putAside(lane: Lane, dueInMs: number): Promise<boolean> {
    const { address, from, failures, reason } = lane;
    const one: SetAside = { address, from, failures, reason, dueInMs };
    lane.dueAtMs = this.#nowMs + dueInMs;
    this.#lanes.set(address, lane);
    return this.context.outbox.setAside(this.options.lease, one);
  }

  /** What became of it, or why the turn is over. */
  async #send({ entry }: OutboxEntry): Promise<SentWebhook | Ended> {
    const { sender, observer, outbox } = this.context;
    const { lease } = this.options;
    const over = await this.#over();
    if (over !== undefined) return over;
    const event = releaseEvent(entry, this.context);
    const sent = await sender.send(lease.endpoint, event);
    if (!sent.ok) {
      if (this.options.stopping()) return this.#stopped(null);
      observer.failed(lease.endpoint);
      return sent.kind === 'gone' ? this.#gone(sent) : sent;
    }
    observer.delivered(lease.endpoint);
    if (this.#failures === 0) return sent;
    this.#log('info', 'webhooks are taken again', { failures: this.#failures });
    this.#failures = 0;
    return (await outbox.taken(lease)) ? sent : LOST;
  }

  async #gone({ reason }: NotTaken): Promise<Ended> {
    await this.context.outbox.gone(this.options.lease, reason);
    this.#log('error', 'a webhook endpoint is switched off: take its URL out, or try it again', {
      reason,
    });
    return { kind: 'stopped', again: null };
  }

  async #endpointFailed(sent: NotTaken): Promise<Ended> {
    const { reason } = sent;
    const again = this.#waitMs(this.#failures, sent);
    await this.context.outbox.retryLater(this.options.lease, reason, again);
    this.#failures += 1;
    const fields = { reason, failures: this.#failures };
    if (this.#failures === 1) {
      this.#log('warn', 'a webhook was not taken; will be tried again', fields);
    } else if (this.#failures === LONG_FAILURES) {
      this.#log('error', 'a webhook endpoint has failed for long', fields);
    }
    return { kind: 'stopped', again };
  }

  /** Moves the place, and with it past what was too old. */
  async #moveTo(sequence: string): Promise<boolean> {
    const from = this.#after;
    if (from !== sequence) {
      if (!(await this.context.outbox.advance(this.options.lease, from, sequence))) return false;
    }
    this.#after = this.#reached = sequence;
    if (this.#old > 0) this.#givenUp(this.#old, OLD);
    this.#old = 0;
    return true;
  }

  #givenUp(events: number, reason: string): void {
    this.context.observer.givenUp(this.options.lease.endpoint, events);
    this.#log('warn', 'webhooks were given up', { events, reason });
  }

  async #over(): Promise<Ended | undefined> {
    if (this.options.stopping()) return this.#stopped(null);
    return this.#nowMs > this.options.untilMs ? this.#stopped(0) : undefined;
  }

  async #stopped(again: number | null): Promise<Ended> {
    await this.context.outbox.giveBack(this.options.lease);
    return { kind: 'stopped', again };
  }

  #shrunk(): void {
    this.#log('warn', 'the history ends before what was sent: PostgreSQL was put back', {});
  }

  #waitMs(failures: number, sent: NotTaken): number {
    return retryWaitMs(failures, sent, this.context.rng);
  }

  #log(level: 'info' | 'warn' | 'error', message: string, fields: object): void {
    this.context.log[level](message, { endpoint: this.options.lease.endpoint, ...fields });
  }

  get #nowMs(): number {
    return this.context.clock.monotonicMs();
  }
}
