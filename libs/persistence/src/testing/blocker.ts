import { Client } from 'pg';

/** How often the server is asked whether somebody waits, milliseconds. */
const POLL_MS = 2;
const DEADLINE_MS = 10_000;

/** A session of the test's own that holds locks in one transaction until told to let go. */
export class Blocker {
  private constructor(private readonly client: Client) {}

  static async open(url: string): Promise<Blocker> {
    const client = new Client({ connectionString: url, application_name: 'blocker' });
    client.on('error', () => undefined);
    await client.connect();
    return new Blocker(client);
  }

  async hold(sql: string, values: unknown[] = []): Promise<void> {
    await this.client.query('BEGIN');
    await this.client.query(sql, values);
  }

  async release(): Promise<void> {
    await this.client.query('ROLLBACK');
  }

  /** Resolves once `count` sessions wait for a lock that `pg_locks l` shows and `where` selects. */
  async someoneWaits(where: string, count = 1): Promise<void> {
    const sql = `SELECT count(DISTINCT l.pid)::int AS waiting FROM pg_locks l
      WHERE NOT l.granted AND ${where}`;
    const deadline = performance.now() + DEADLINE_MS;
    while (performance.now() < deadline) {
      const { rows } = await this.client.query<{ waiting: number }>(sql);
      if ((rows[0]?.waiting ?? 0) >= count) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`nobody waits where ${where}`);
  }

  async close(): Promise<void> {
    await this.client.end();
  }
}

export const WAITS_FOR = {
  /** The shard's advisory lock. */
  shard: (shard: number): string => `l.locktype = 'advisory' AND l.objid = ${shard}`,
  table: (table: string): string => `l.locktype = 'relation' AND l.relation = '${table}'::regclass`,
  /** A row that another transaction has changed or locked. */
  row: "l.locktype = 'transactionid'",
};
