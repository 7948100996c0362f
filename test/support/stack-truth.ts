import { Client } from 'pg';
import type { QueryResultRow } from 'pg';

/** Runs one statement on a connection of its own. */
export async function query<Row extends QueryResultRow>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}

const TABLES = {
  config_address: 'address',
  config_definition: 'address, version',
  config_schema: 'address, hash',
  config_snapshot: 'address',
  history_entry: 'sequence',
  idempotency_record: 'key',
} as const;

/**
 * Everything that commands write, as text: equal before and after a request that changed nothing.
 * When a snapshot was published is left out, because it is noted later.
 */
export async function dumpTruth(url: string): Promise<string> {
  const parts = Object.entries(TABLES).map(
    ([table, key]) =>
      `(SELECT json_agg(to_jsonb(t) - 'published_version' - 'published_at' ORDER BY ${key}) FROM ${table} t) AS ${table}`,
  );
  const [row] = await query(url, `SELECT ${parts.join(', ')}`);
  return JSON.stringify(row, null, 1);
}
