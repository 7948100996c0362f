import type { Client } from 'pg';
import { readAudit, withClient, type Audit } from './audit.js';

export interface StoredDefinition {
  readonly scope: string;
  readonly version: number;
  readonly hash: string;
  /** The call that wrote it. */
  readonly author: string;
}

/** An entry of the history: a release went to another definition version. */
export interface StoredTransition {
  readonly scope: string;
  readonly releaseVersion: number;
  readonly action: string;
  readonly stableVersion: number;
  readonly author: string;
}

export interface StoredRelease {
  readonly scope: string;
  readonly state: string;
  readonly releaseVersion: number;
  readonly stableVersion: number | null;
}

export interface StoredSnapshot {
  readonly scope: string;
  readonly generation: number;
  readonly version: number;
  readonly hash: string;
}

/** All that PostgreSQL holds, as of one moment. */
export interface Truth {
  /** By scope and version, ascending. */
  readonly definitions: readonly StoredDefinition[];
  /** Definition versions that the history tells of. */
  readonly told: readonly StoredDefinition[];
  /** By scope, in the order of the history. */
  readonly transitions: readonly StoredTransition[];
  readonly releases: readonly StoredRelease[];
  readonly snapshots: readonly StoredSnapshot[];
  readonly audit: Audit;
}

export function readTruth(url: string): Promise<Truth> {
  return withClient(url, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const truth = {
      definitions: await definitions(
        client,
        'SELECT address, version, document_hash AS hash, author FROM config_definition ORDER BY 1, 2',
      ),
      told: await definitions(
        client,
        `SELECT address, version, '' AS hash, author FROM history_entry
         WHERE kind = 'definition' ORDER BY address, sequence`,
      ),
      transitions: await transitions(client),
      releases: await releases(client),
      snapshots: await readSnapshots(client),
      audit: await readAudit(client),
    };
    await client.query('COMMIT');
    return truth;
  });
}

/** What consumers should run. */
export async function readSnapshots(client: Client): Promise<StoredSnapshot[]> {
  const { rows } = await client.query<Row>(
    'SELECT address, generation, version, hash FROM config_snapshot ORDER BY 1',
  );
  return rows.map((row) => ({
    scope: text(row, 'address'),
    generation: Number(row['generation']),
    version: Number(row['version']),
    hash: text(row, 'hash'),
  }));
}

type Row = Record<string, string | null>;

const text = (row: Row, column: string): string => row[column] ?? '';

async function definitions(client: Client, sql: string): Promise<StoredDefinition[]> {
  const { rows } = await client.query<Row>(sql);
  return rows.map((row) => ({
    scope: text(row, 'address'),
    version: Number(row['version']),
    hash: text(row, 'hash'),
    author: text(row, 'author'),
  }));
}

async function transitions(client: Client): Promise<StoredTransition[]> {
  const { rows } = await client.query<Row>(
    `SELECT address, release_version, action, version, author FROM history_entry
     WHERE kind = 'release' ORDER BY address, sequence`,
  );
  return rows.map((row) => ({
    scope: text(row, 'address'),
    releaseVersion: Number(row['release_version']),
    action: text(row, 'action'),
    stableVersion: Number(row['version']),
    author: text(row, 'author'),
  }));
}

async function releases(client: Client): Promise<StoredRelease[]> {
  const { rows } = await client.query<Row>(
    'SELECT address, state, release_version, stable_version FROM config_address ORDER BY 1',
  );
  return rows.map((row) => ({
    scope: text(row, 'address'),
    state: text(row, 'state'),
    releaseVersion: Number(row['release_version']),
    stableVersion: row['stable_version'] === null ? null : Number(row['stable_version']),
  }));
}
