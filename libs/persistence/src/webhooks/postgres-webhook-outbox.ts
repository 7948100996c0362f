import { setTimeout } from 'node:timers/promises';
import type { AddressText } from '@pawl/contracts';
import type {
  OutboxEntry,
  SetAside,
  WebhookBacklog,
  WebhookCursor,
  WebhookLease,
  WebhookOutbox,
  WebhookPage,
  WebhookState,
} from '@pawl/engine';
import { assert } from '@pawl/kernel';
import type { QueryResultRow } from 'pg';
import type { TruthSessions } from '../sessions/truth-sessions.js';
import { decodeHistory } from '../truth/decode-history.js';
import type { HistoryRow } from '../truth/decode-history.js';
import { NEXT_RELEASE_HISTORY, RELEASE_HISTORY } from '../truth/queries.js';
import {
  ADVANCE,
  BEGIN,
  GIVE_BACK,
  GONE,
  NEWEST,
  READ_BACKLOGS,
  READ_SET_ASIDE,
  READ_STATES,
  RETRY_LATER,
  RETRY_NOW,
  SET_ASIDE,
  TAKE,
  TAKE_BACK,
  TAKEN,
  WRITERS,
} from './webhook-queries.js';

interface TakenRow {
  readonly sequence: string;
  readonly failures: number;
}

interface AgedRow extends HistoryRow {
  readonly age_ms: number;
}

interface SetAsideRow {
  readonly address: AddressText;
  readonly from_sequence: string;
  readonly failures: number;
  readonly reason: string;
  readonly due_in_ms: number;
}

interface StateRow {
  readonly endpoint: string;
  readonly failures: number;
  readonly reason: string | null;
  readonly set_aside: number;
  readonly aside_retry_ms: number | null;
  readonly retry_ms: number | null;
  readonly failing_ms: number | null;
  readonly gone_ms: number | null;
}

interface BacklogRow {
  readonly endpoint: string;
  readonly waiting: number;
  readonly oldest_ms: number | null;
}

const SETTLE_POLL_MS = 10;
const SETTLE_MS = 2_000;

/** {@link WebhookOutbox} on PostgreSQL: the history is the outbox, and a table holds the places in it. */
export class PostgresWebhookOutbox implements WebhookOutbox {
  constructor(
    private readonly sessions: TruthSessions,
    /** How long transactions under way are waited for, milliseconds. */
    private readonly settleMs = SETTLE_MS,
  ) {}

  async begin(endpoints: readonly string[]): Promise<void> {
    await this.#write('pawl_webhooks_begin', BEGIN, [[...endpoints]]);
  }

  async take({ endpoint, holder, leaseMs }: WebhookLease): Promise<WebhookCursor | undefined> {
    const values = [endpoint, holder, leaseMs];
    const [row] = await this.#write<TakenRow>('pawl_webhooks_take', TAKE, values);
    return row && { after: row.sequence, failures: row.failures };
  }

  /**
   * Numbers of a sequence are committed in another order than they are taken. So what is newest is seen
   * first, then waited until nobody is left who wrote at that time, and only then read up to there: what has
   * a lower number is to be seen by then, or will never be. Transactions elsewhere on the server, and those
   * that only read, are not waited for.
   */
  async read(after: string, limit: number): Promise<WebhookPage | undefined> {
    const [top] = await this.#read<{ newest: string }>('pawl_webhooks_newest', NEWEST, []);
    const newest = top?.newest ?? '0';
    if (BigInt(newest) <= BigInt(after)) return { entries: [], upTo: newest };
    if (!(await this.#settled())) return undefined;
    const values = [after, newest, limit];
    const rows = await this.#read<AgedRow>('pawl_webhooks_read', RELEASE_HISTORY, values);
    const last = rows.length < limit ? undefined : rows.at(-1);
    return { entries: rows.map(decodeAged), upTo: last?.sequence ?? newest };
  }

  async readNext(
    address: AddressText,
    from: string,
    upTo: string,
  ): Promise<OutboxEntry | undefined> {
    const values = [address, from, upTo];
    const [row] = await this.#read<AgedRow>('pawl_webhooks_next', NEXT_RELEASE_HISTORY, values);
    return row && decodeAged(row);
  }

  advance(lease: WebhookLease, from: string, to: string): Promise<boolean> {
    return this.#held(lease, ['pawl_webhooks_advance', ADVANCE], [from, to]);
  }

  taken(lease: WebhookLease): Promise<boolean> {
    return this.#held(lease, ['pawl_webhooks_taken', TAKEN], []);
  }

  async retryLater(
    { endpoint, holder }: WebhookLease,
    reason: string,
    waitMs: number,
  ): Promise<void> {
    await this.#write('pawl_webhooks_retry', RETRY_LATER, [endpoint, holder, waitMs, reason]);
  }

  async gone({ endpoint, holder }: WebhookLease, reason: string): Promise<void> {
    await this.#write('pawl_webhooks_gone', GONE, [endpoint, holder, reason]);
  }

  async readSetAside(endpoint: string): Promise<readonly SetAside[]> {
    const rows = await this.#read<SetAsideRow>('pawl_webhooks_aside', READ_SET_ASIDE, [endpoint]);
    return rows.map(({ from_sequence: from, due_in_ms: dueInMs, ...row }) => {
      const { address, failures, reason } = row;
      return { address, from, failures, reason, dueInMs };
    });
  }

  setAside(lease: WebhookLease, one: SetAside): Promise<boolean> {
    const { address, from, failures, reason, dueInMs } = one;
    const values = [address, from, failures, reason, dueInMs];
    return this.#held(lease, ['pawl_webhooks_set_aside', SET_ASIDE], values);
  }

  takeBack(lease: WebhookLease, address: AddressText): Promise<boolean> {
    return this.#held(lease, ['pawl_webhooks_take_back', TAKE_BACK], [address]);
  }

  async giveBack({ endpoint, holder }: WebhookLease): Promise<void> {
    await this.#write('pawl_webhooks_give_back', GIVE_BACK, [endpoint, holder]);
  }

  async readStates(endpoints: readonly string[]): Promise<readonly WebhookState[]> {
    const rows = await this.#read<StateRow>('pawl_webhooks_states', READ_STATES, [[...endpoints]]);
    return rows.map(({ endpoint, failures, ...row }) => ({
      ...{ endpoint, failures, setAside: row.set_aside },
      ...(row.aside_retry_ms === null
        ? {}
        : { setAsideRetryInMs: Math.max(0, row.aside_retry_ms) }),
      ...(row.retry_ms === null ? {} : { retryInMs: Math.max(0, row.retry_ms) }),
      ...(row.failing_ms === null ? {} : { failingForMs: Math.max(0, row.failing_ms) }),
      ...(row.gone_ms === null ? {} : { goneForMs: Math.max(0, row.gone_ms) }),
      ...(row.reason === null ? {} : { reason: row.reason }),
    }));
  }

  async readBacklogs(
    endpoints: readonly string[],
    limit: number,
  ): Promise<readonly WebhookBacklog[]> {
    const values = [[...endpoints], limit];
    const rows = await this.#read<BacklogRow>('pawl_webhooks_backlogs', READ_BACKLOGS, values);
    return rows.map(({ endpoint, waiting, oldest_ms: oldestMs }) => ({
      ...{ endpoint, waiting },
      ...(oldestMs === null ? {} : { oldestMs: Math.max(0, oldestMs) }),
    }));
  }

  async retryNow(endpoint: string): Promise<boolean> {
    const rows = await this.#write('pawl_webhooks_retry_now', RETRY_NOW, [endpoint]);
    return rows.length > 0;
  }

  /** Whether all who write now have ended in time. */
  async #settled(): Promise<boolean> {
    let left = await this.#writers();
    for (let waitedMs = 0; left.size > 0; waitedMs += SETTLE_POLL_MS) {
      if (waitedMs >= this.settleMs) return false;
      await setTimeout(SETTLE_POLL_MS);
      const now = await this.#writers();
      left = new Set([...left].filter((writer) => now.has(writer)));
    }
    return true;
  }

  async #writers(): Promise<ReadonlySet<string>> {
    const rows = await this.#read<{ writer: string }>('pawl_webhooks_writers', WRITERS, []);
    return new Set(rows.map(({ writer }) => writer));
  }

  async #held(
    { endpoint, holder, leaseMs }: WebhookLease,
    [name, text]: readonly [string, string],
    values: readonly unknown[],
  ): Promise<boolean> {
    const rows = await this.#write(name, text, [endpoint, holder, leaseMs, ...values]);
    return rows.length > 0;
  }

  async #read<Row extends QueryResultRow>(
    name: string,
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    const answer = await this.sessions.read<Row>({ name, text, values });
    assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
    return answer.rows;
  }

  async #write<Row extends QueryResultRow>(
    name: string,
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    const answer = await this.sessions.write<Row>({ name, text, values });
    assert(answer.kind === 'rows', 'a place in the history is under no fence');
    return answer.rows;
  }
}

function decodeAged(row: AgedRow): OutboxEntry {
  return { entry: decodeHistory(row), ageMs: row.age_ms };
}
