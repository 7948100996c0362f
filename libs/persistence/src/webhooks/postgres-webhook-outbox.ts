import { setTimeout } from 'node:timers/promises';
import { assert } from '@pawl/kernel';
import type { WebhookCursor, WebhookLease, WebhookOutbox, WebhookPage } from '@pawl/engine';
import type { QueryResultRow } from 'pg';
import type { TruthSessions } from '../sessions/truth-sessions.js';
import { decodeHistory } from '../truth/decode-history.js';
import type { HistoryRow } from '../truth/decode-history.js';
import { RELEASE_HISTORY } from '../truth/queries.js';

const BEGIN = `
  INSERT INTO webhook_cursor (endpoint, sequence, failures)
  SELECT e.endpoint, coalesce((SELECT max(h.sequence) FROM history_entry h), 0), 0
  FROM unnest($1::text[]) AS e(endpoint)
  ON CONFLICT (endpoint) DO NOTHING`;

/** Endpoint $1, by $2, for $3 milliseconds. */
const TAKE = `
  UPDATE webhook_cursor c
  SET holder = $2, held_until = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE c.endpoint = $1 AND (c.not_before IS NULL OR c.not_before <= clock_timestamp())
    AND (c.holder IS NULL OR c.holder = $2 OR c.held_until <= clock_timestamp())
  RETURNING c.sequence, c.failures, clock_timestamp() AS taken_at`;

/** From $4 to $5. */
const ADVANCE = `
  UPDATE webhook_cursor c
  SET sequence = $5, failures = 0, not_before = NULL,
    held_until = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE c.endpoint = $1 AND c.holder = $2 AND c.sequence = $4
  RETURNING c.sequence`;

/** For $3 milliseconds. */
const RETRY_LATER = `
  UPDATE webhook_cursor c
  SET failures = least(c.failures + 1, 1000000), holder = NULL, held_until = NULL,
    not_before = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE c.endpoint = $1 AND c.holder = $2`;

const GIVE_BACK = `
  UPDATE webhook_cursor c SET holder = NULL, held_until = NULL
  WHERE c.endpoint = $1 AND c.holder = $2`;

const NEWEST = `SELECT coalesce(max(h.sequence), 0) AS newest FROM history_entry h`;

/**
 * Transactions that may write history. One takes this lock on the table before it takes a number of the
 * sequence, and lets go of it after what it wrote is to be seen.
 */
const WRITERS = `
  SELECT l.virtualtransaction AS writer FROM pg_locks l
  WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'RowExclusiveLock'
    AND l.relation = 'history_entry'::regclass
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())`;

interface TakenRow {
  readonly sequence: string;
  readonly failures: number;
  readonly taken_at: Date;
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
    if (row === undefined) return undefined;
    return {
      after: row.sequence,
      failures: row.failures,
      takenMs: row.taken_at.getTime(),
    };
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
    const rows = await this.#read<HistoryRow>('pawl_webhooks_read', RELEASE_HISTORY, [
      ...[after, newest, limit],
    ]);
    const entries = rows.map(decodeHistory);
    const last = entries.at(-1);
    return { entries, upTo: entries.length < limit || last === undefined ? newest : last.sequence };
  }

  async advance(
    { endpoint, holder, leaseMs }: WebhookLease,
    from: string,
    to: string,
  ): Promise<boolean> {
    const rows = await this.#write('pawl_webhooks_advance', ADVANCE, [
      ...[endpoint, holder, leaseMs, from, to],
    ]);
    return rows.length > 0;
  }

  async retryLater({ endpoint, holder }: WebhookLease, waitMs: number): Promise<void> {
    await this.#write('pawl_webhooks_retry', RETRY_LATER, [endpoint, holder, waitMs]);
  }

  async giveBack({ endpoint, holder }: WebhookLease): Promise<void> {
    await this.#write('pawl_webhooks_give_back', GIVE_BACK, [endpoint, holder]);
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
