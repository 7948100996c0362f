import 'reflect-metadata';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { ENTITIES } from './entities/index.js';
import { Tables1764000000000 } from './migrations/1764000000000-tables.js';
import { Functions1764000000001 } from './migrations/1764000000001-functions.js';
import { ConsumerLeft1764000000002 } from './migrations/1764000000002-consumer-left.js';
import { GroupCommit1764000000003 } from './migrations/1764000000003-group-commit.js';
import { FenceServer1764000000004 } from './migrations/1764000000004-fence-server.js';
import { TruthBehind1764000000005 } from './migrations/1764000000005-truth-behind.js';
import { RoutedKeys1764000000006 } from './migrations/1764000000006-routed-keys.js';
import { CommitEntry1764000000007 } from './migrations/1764000000007-commit-entry.js';
import { AcceptAsSeen1764000000008 } from './migrations/1764000000008-accept-as-seen.js';
import { IdempotencyClock1764000000009 } from './migrations/1764000000009-idempotency-clock.js';
import { HighestRemembered1764000000010 } from './migrations/1764000000010-highest-remembered.js';
import { StagedReleases1764000000011 } from './migrations/1764000000011-staged-releases.js';
import { IncidentReads1764000000012 } from './migrations/1764000000012-incident-reads.js';
import { MergeOrigin1764000000013 } from './migrations/1764000000013-merge-origin.js';
import { ConsumerRuns1764000000014 } from './migrations/1764000000014-consumer-runs.js';
import { QueuedReleases1764000000015 } from './migrations/1764000000015-queued-releases.js';
import { PinnedLayers1764000000016 } from './migrations/1764000000016-pinned-layers.js';
import { WebhookCursor1764000000017 } from './migrations/1764000000017-webhook-cursor.js';
import { RestorePauses1764000000018 } from './migrations/1764000000018-restore-pauses.js';
import { WebhooksSetAside1764000000020 } from './migrations/1764000000020-webhooks-set-aside.js';
import { ReleaseStory1764000000021 } from './migrations/1764000000021-release-story.js';
import { prepareSession } from './sessions/prepare-session.js';

export interface SessionOptions {
  readonly url: string;
  /** Shown in `pg_stat_activity`; at most 63 bytes count. */
  readonly applicationName: string;
  readonly poolSize: number;
  /** How long PostgreSQL works on one statement before it takes it back, milliseconds. */
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly idleInTransactionTimeoutMs: number;
  /** How long an answer, a connection or a place in the pool is waited for, milliseconds. */
  readonly answerTimeoutMs: number;
  /** A connection nobody was using broke; the pool makes another when it needs one. */
  readonly onIdleError: (error: Error) => void;
}

/** What the server side of every session is set to, beside the time-outs. */
const SERVER_SETTINGS = [
  '-c default_transaction_isolation=read\\ committed',
  '-c timezone=UTC',
  '-c tcp_keepalives_idle=10',
  '-c tcp_keepalives_interval=2',
  '-c tcp_keepalives_count=3',
].join(' ');

/** The model (entities and migrations) over a pool of sessions that are bounded in every wait. */
export function createDataSource(options: SessionOptions): DataSource {
  return new DataSource({
    type: 'postgres',
    url: options.url,
    entities: ENTITIES,
    migrations: [
      Tables1764000000000,
      Functions1764000000001,
      ConsumerLeft1764000000002,
      GroupCommit1764000000003,
      FenceServer1764000000004,
      TruthBehind1764000000005,
      RoutedKeys1764000000006,
      CommitEntry1764000000007,
      AcceptAsSeen1764000000008,
      IdempotencyClock1764000000009,
      HighestRemembered1764000000010,
      StagedReleases1764000000011,
      IncidentReads1764000000012,
      MergeOrigin1764000000013,
      ConsumerRuns1764000000014,
      QueuedReleases1764000000015,
      PinnedLayers1764000000016,
      WebhookCursor1764000000017,
      RestorePauses1764000000018,
      WebhooksSetAside1764000000020,
      ReleaseStory1764000000021,
    ],
    migrationsTableName: 'pawl_migration',
    synchronize: false,
    installExtensions: false,
    logging: false,
    poolSize: options.poolSize,
    connectTimeoutMS: options.answerTimeoutMs,
    applicationName: options.applicationName,
    poolErrorHandler: options.onIdleError,
    extra: {
      options: SERVER_SETTINGS,
      statement_timeout: options.statementTimeoutMs,
      lock_timeout: options.lockTimeoutMs,
      idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
      query_timeout: options.answerTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      onConnect: prepareSession,
    },
  });
}

/** The pool under an initialized data source of {@link createDataSource}. */
export function poolOf(dataSource: DataSource): Pool {
  return (dataSource.driver as unknown as { readonly master: Pool }).master;
}
