import { randomUUID } from 'node:crypto';
import { TruthUnavailableError } from '@pawl/engine';
import type { StatusStore, TruthStore } from '@pawl/engine';
import type { DataSource } from 'typeorm';
import { createDataSource, poolOf } from './data-source.js';
import { prepareDatabase } from './prepare-database.js';
import { FencedStatements } from './sessions/fenced-statements.js';
import { TruthSessions } from './sessions/truth-sessions.js';
import { PostgresStatusStore } from './status/postgres-status.store.js';
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
  /** Sessions at most; 16 unless told. */
  readonly poolSize?: number;
  /**
   * How long a claim waits for the former owner's transactions before it ends their sessions;
   * milliseconds, a fifth of the lease unless told, at most two fifths.
   */
  readonly takeoverGraceMs?: number;
  /** A pooled connection that nobody was using broke; it is replaced when needed. */
  readonly onIdleError?: (error: Error) => void;
}

export interface OpenedTruth {
  readonly truth: TruthStore;
  readonly status: StatusStore;
  readonly dataSource: DataSource;
  /** Waits for statements under way and closes every connection; may be called again. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the truth: migrates the database if needed, makes or checks its installation, and connects a
 * pool. Throws `InstallationMismatchError` when the database is another's, `TruthUnavailableError`
 * when PostgreSQL does not answer: waiting and trying again is the caller's.
 */
export async function openTruth(options: OpenTruthOptions): Promise<OpenedTruth> {
  const leaseTtlMs = Math.max(500, options.leaseTtlMs ?? 5_000);
  const ofLease = (share: number): number => Math.round(leaseTtlMs * share);
  const applicationName = `pawl/${randomUUID().slice(0, 8)}/${options.nodeId}`.slice(0, 63);
  const { url, shards, installation: name } = options;
  const installation = await prepareDatabase({ url, shards, installation: name, applicationName });
  const dataSource = createDataSource({
    url,
    applicationName,
    poolSize: options.poolSize ?? 16,
    idleInTransactionTimeoutMs: ofLease(0.6),
    statementTimeoutMs: ofLease(0.8),
    lockTimeoutMs: ofLease(0.4),
    answerTimeoutMs: leaseTtlMs,
    onIdleError: options.onIdleError ?? (() => undefined),
  });
  await connect(dataSource);
  const sessions = new TruthSessions(poolOf(dataSource), applicationName);
  const statements = new FencedStatements(sessions, installation);
  const graceMs = Math.min(Math.max(1, options.takeoverGraceMs ?? ofLease(0.2)), ofLease(0.4));
  return {
    truth: new PostgresTruthStore(statements, installation, graceMs),
    status: new PostgresStatusStore(statements),
    dataSource,
    close: async () => {
      if (dataSource.isInitialized) await dataSource.destroy();
    },
  };
}

async function connect(dataSource: DataSource): Promise<void> {
  try {
    await dataSource.initialize();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TruthUnavailableError(`no connection to PostgreSQL: ${message}`, { cause: error });
  }
}
