import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { TruthUnavailableError } from '@pawl/engine';
import type { SavedStatusReader, StatusStore, TruthStore, WebhookOutbox } from '@pawl/engine';
import type { Scheduler } from '@pawl/kernel';
import type { DataSource } from 'typeorm';
import { createDataSource, poolOf } from './data-source.js';
import { notesOnDurability } from './durability.js';
import { prepareDatabase } from './prepare-database.js';
import { FencedStatements } from './sessions/fenced-statements.js';
import { TruthSessions } from './sessions/truth-sessions.js';
import { PostgresSavedStatus } from './status/postgres-saved-status.js';
import { PostgresStatusStore } from './status/postgres-status.store.js';
import { PostgresWebhookOutbox } from './webhooks/postgres-webhook-outbox.js';
import { FORMER_SERVER } from './truth/queries.js';
import { PostgresTruthStore } from './truth/postgres-truth.store.js';

export interface OpenTruthOptions {
  /** `postgresql://…`; the database must be this installation's or empty. */
  readonly url: string;
  /** Name of the installation. */
  readonly installation: string;
  /** Number of shards, fixed when the installation is made. */
  readonly shards: number;
  readonly nodeId: string;
  /** Every session's time-outs lie below it; milliseconds, 5,000 unless told, at least 500. */
  readonly leaseTtlMs?: number;
  /** Sessions at most, beside two for the watch and the fence checks; 16 unless told. */
  readonly poolSize?: number;
  /**
   * How long a claim waits for the former owner's transactions before it ends their sessions;
   * milliseconds, a fifth of the lease unless told, at most two fifths.
   */
  readonly takeoverGraceMs?: number;
  /** Gives others a turn while long texts are parsed; the event loop's next turn unless told. */
  readonly scheduler?: Scheduler;
  /** A pooled connection that nobody was using broke; it is replaced when needed. */
  readonly onIdleError?: (error: Error) => void;
}

/** The watch and one fence check at a time never wait behind reads and commits. */
const WATCHING_SESSIONS = 2;

export interface OpenedTruth {
  readonly truth: TruthStore;
  readonly status: StatusStore;
  readonly savedStatus: SavedStatusReader;
  readonly webhookOutbox: WebhookOutbox;
  readonly dataSource: DataSource;
  /** What an operator should know of this database; sentences for the log. */
  readonly notes: readonly string[];
  /** Waits for statements under way and closes every connection; may be called again. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the truth: migrates the database if needed, makes or checks its installation, and connects a
 * pool. Throws `InstallationMismatchError` when the database is another's, `TruthUnavailableError`
 * when PostgreSQL does not answer or is a standby: waiting and trying again is the caller's.
 */
export async function openTruth(options: OpenTruthOptions): Promise<OpenedTruth> {
  const leaseTtlMs = Math.max(500, options.leaseTtlMs ?? 5_000);
  const ofLease = (share: number): number => Math.round(leaseTtlMs * share);
  const applicationName = `pawl/${randomUUID().slice(0, 8)}/${options.nodeId}`.slice(0, 63);
  const { url, shards, installation: name } = options;
  const installation = await prepareDatabase({ url, shards, installation: name, applicationName });
  const settings = {
    url,
    applicationName,
    idleInTransactionTimeoutMs: ofLease(0.6),
    statementTimeoutMs: ofLease(0.8),
    lockTimeoutMs: ofLease(0.4),
    answerTimeoutMs: leaseTtlMs,
    onIdleError: options.onIdleError ?? (() => undefined),
  };
  const dataSource = createDataSource({ ...settings, poolSize: options.poolSize ?? 16 });
  const watching = createDataSource({ ...settings, poolSize: WATCHING_SESSIONS });
  const close = async (): Promise<void> => {
    for (const each of [dataSource, watching]) if (each.isInitialized) await each.destroy();
  };
  const opened = (async () => {
    await connect(dataSource);
    await connect(watching);
    const sessions = new TruthSessions(poolOf(dataSource), applicationName);
    return { sessions, notes: await notesOn(sessions) };
  })();
  const { sessions, notes } = await opened.catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const statements = new FencedStatements(sessions, installation);
  const graceMs = Math.min(Math.max(1, options.takeoverGraceMs ?? ofLease(0.2)), ofLease(0.4));
  return {
    truth: new PostgresTruthStore(statements, installation, {
      watching: new TruthSessions(poolOf(watching), applicationName),
      takeoverGraceMs: graceMs,
      fenceTimeoutMs: ofLease(1 / 3),
      scheduler: options.scheduler ?? EVENT_LOOP,
    }),
    status: new PostgresStatusStore(statements),
    savedStatus: new PostgresSavedStatus(sessions),
    webhookOutbox: new PostgresWebhookOutbox(sessions),
    dataSource,
    notes,
    close,
  };
}

const EVENT_LOOP: Scheduler = { yield: () => setImmediate() };

async function notesOn(sessions: TruthSessions): Promise<string[]> {
  return [...(await notesOnServer(sessions)), ...(await notesOnDurability(sessions))];
}

/**
 * A physical copy keeps the system identifier, so another one means a dump that was restored, an
 * upgrade, or a wrong address. All but the last are legitimate, and this cannot tell them apart; the
 * fences and the installation's id are in the dump, and claiming raises the fences here.
 */
async function notesOnServer(sessions: TruthSessions): Promise<string[]> {
  const answer = await sessions.read<{ former: string; server: string }>({
    text: FORMER_SERVER,
    values: [],
  });
  const [moved] = answer.kind === 'rows' ? answer.rows : [];
  if (moved === undefined) return [];
  return [
    `the database was last served by another PostgreSQL server (system identifier ${moved.former}, ` +
      `now ${moved.server}): it was restored, upgraded or moved, or PAWL_POSTGRES_URL names the ` +
      'wrong one; it is the truth from here on, so make sure that nothing writes to the former one',
  ];
}

async function connect(dataSource: DataSource): Promise<void> {
  try {
    await dataSource.initialize();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TruthUnavailableError(`no connection to PostgreSQL: ${message}`, { cause: error });
  }
}
