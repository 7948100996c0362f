import { OutcomeUnknownError, TruthUnavailableError } from '@pawl/engine';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import { UnstorableTextError } from '../errors.js';
import { classifyFailure } from './classify-failure.js';
import type { Failure } from './classify-failure.js';

/** One statement, a transaction of its own. With a `name` each session prepares it once. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values: readonly unknown[];
  /** Deadline for the answer instead of the sessions' own, milliseconds. */
  readonly query_timeout?: number;
}

export type Answer<Row> =
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  | { readonly kind: 'fenced'; readonly token: bigint }
  | { readonly kind: 'behind' }
  | { readonly kind: 'conflict'; readonly what: string };

/** How often one statement is sent when others' transactions keep making it fail. */
const MAX_ATTEMPTS = 4;
/** How long a session whose answer was lost may take to end, milliseconds. */
const ENDING_MS = 1_000;

/**
 * Sends statements over pooled sessions, one round trip each, and tells surely not done
 * (`TruthUnavailableError`) from perhaps done (`OutcomeUnknownError`). Serialization failures and
 * deadlocks are repeated as a whole, fence check included, up to four times; once, without what was
 * prepared, where a newer node has migrated what a session had prepared for.
 */
export class TruthSessions {
  /** Server processes that may still be working on something whose answer was lost. */
  readonly #lost = new Set<number>();

  constructor(
    private readonly pool: Pool,
    private readonly applicationName: string,
  ) {
    pool.on('connect', (client) => this.#lost.delete(processOf(client)));
  }

  /** A statement that changes nothing: a lost answer is just an unavailable truth. */
  read<Row extends QueryResultRow>(statement: Statement): Promise<Answer<Row>> {
    return this.#send<Row>(statement, false);
  }

  write<Row extends QueryResultRow>(statement: Statement): Promise<Answer<Row>> {
    return this.#send<Row>(statement, true);
  }

  /**
   * Ends the sessions whose answers were lost, so that what they had not committed by then never
   * will be. Throws `TruthUnavailableError` when one does not end.
   */
  async endLost(): Promise<void> {
    const processes = [...this.#lost];
    if (processes.length === 0) return;
    const answer = await this.read<{ ended: boolean }>({
      text: `SELECT pg_terminate_backend(a.pid, ${ENDING_MS}) AS ended FROM pg_stat_activity a
        WHERE a.pid = ANY ($1::integer[]) AND a.application_name = $2`,
      values: [processes, this.applicationName],
    });
    if (answer.kind !== 'rows' || answer.rows.some((row) => !row.ended)) {
      throw new TruthUnavailableError('a session whose answer was lost does not end');
    }
    for (const process of processes) this.#lost.delete(process);
  }

  async #send<Row extends QueryResultRow>(
    statement: Statement,
    writes: boolean,
  ): Promise<Answer<Row>> {
    let { name } = statement;
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.#connect();
      try {
        const { rows } = await client.query<Row>({
          ...statement,
          name,
          values: [...statement.values],
        });
        this.#giveBack(client);
        return { kind: 'rows', rows };
      } catch (error) {
        const failure = classifyFailure(error);
        if (failure.kind === 'lost' && writes) this.#lost.add(processOf(client));
        this.#giveBack(client, failure);
        if (isAnswer(failure)) return failure;
        if (failure.kind === 'stale' && name !== undefined) {
          // Other sessions may be as old; what is not prepared is planned anew in each.
          name = undefined;
          continue;
        }
        if (failure.kind === 'retry' && attempt < MAX_ATTEMPTS) continue;
        throw toError(failure, error, writes);
      }
    }
  }

  async #connect(): Promise<PoolClient> {
    try {
      const client = await this.pool.connect();
      client.on('error', ignoreTwice);
      return client;
    } catch (error) {
      throw new TruthUnavailableError(`no connection to PostgreSQL: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  #giveBack(client: PoolClient, failure?: Failure): void {
    client.release(failure?.kind === 'lost' || failure?.kind === 'stale');
    client.off('error', ignoreTwice);
  }
}

/** What a caller expects of a write, as the functions of the migrations tell it. */
function isAnswer(failure: Failure): failure is Extract<Answer<never>, Failure> {
  return ['fenced', 'behind', 'conflict'].includes(failure.kind);
}

function toError(failure: Failure, cause: unknown, writes: boolean): Error {
  const message = messageOf(cause);
  if (failure.kind === 'lost' && writes) {
    return new OutcomeUnknownError(`the answer to a write was lost: ${message}`, { cause });
  }
  if (failure.kind === 'unstorable') {
    return new UnstorableTextError(`PostgreSQL cannot store a text: ${message}`, { cause });
  }
  if (failure.kind === 'defect' || failure.kind === 'stale') {
    return new Error(`PostgreSQL refused a statement: ${message}`, { cause });
  }
  return new TruthUnavailableError(`PostgreSQL did not do it: ${message}`, { cause });
}

/** A broken connection fails its statement and is emitted as well, which without a listener throws. */
function ignoreTwice(): void {}

/** The server process behind a client; 0 when it is not known. */
function processOf(client: PoolClient): number {
  return (client as PoolClient & { readonly processID?: number | null }).processID ?? 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
