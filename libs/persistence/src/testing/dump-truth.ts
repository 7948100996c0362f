import { Client } from 'pg';

const TABLES = [
  'config_address',
  'config_definition',
  'config_schema',
  'config_snapshot',
  'consumer_run',
  'consumer_run_since',
  'consumer_status',
  'history_entry',
  'idempotency_record',
  'snapshot_published',
];

/** Every row of the tables that owners write, as text, for comparing before with after. */
export async function dumpTruth(url: string): Promise<Record<string, string[]>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const dump: Record<string, string[]> = {};
    for (const table of TABLES) {
      const { rows } = await client.query<{ row: string }>(
        `SELECT t::text AS row FROM ${table} t ORDER BY t::text`,
      );
      dump[table] = rows.map(({ row }) => row);
    }
    return dump;
  } finally {
    await client.end();
  }
}
