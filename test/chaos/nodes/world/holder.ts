import { Client } from 'pg';
import { eventually } from '../../../support/eventually.js';
import { VoidError } from '../void-error.js';

export interface Waiting {
  /** Shard whose lock the waiting session wants, or holds while it waits for another. */
  readonly shard: number;
}

/** A session of the chaos' own, past all gates, that holds locks in one transaction until told. */
export class Holder {
  private constructor(private readonly client: Client) {}

  static async open(url: string): Promise<Holder> {
    const client = new Client({ connectionString: url, application_name: 'chaos-holder' });
    // Whoever raises a fence ends the sessions that keep it from that.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('BEGIN');
    return new Holder(client);
  }

  async hold(sql: string): Promise<void> {
    await this.client.query(sql);
  }

  /** The lock of a shard, as whoever raises its fence takes it. */
  async holdShard(shard: number): Promise<void> {
    const { rows } = await this.client.query<{ id: string }>('SELECT id FROM installation');
    // 31 bits of the installation's id, as the control plane derives it (lockKeyOf of persistence).
    const key = Number.parseInt((rows[0]?.id ?? '').slice(0, 8), 16) >>> 1;
    await this.client.query('SELECT pg_advisory_xact_lock($1, $2)', [key, shard]);
  }

  /** Resolves once a commit waits for what is held here; of one shard, if it is named. */
  someoneWaits(withinMs: number, shard: number | null = null): Promise<Waiting> {
    return eventually(async () => {
      const { rows } = await this.client.query<{ shard: number }>(
        `SELECT l.objid::integer AS shard FROM pg_locks l
         WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.pid IN (
           SELECT w.pid FROM pg_locks w
           WHERE NOT w.granted AND pg_backend_pid() = ANY (pg_blocking_pids(w.pid)))
           AND ($1::integer IS NULL OR l.objid::integer = $1)
         LIMIT 1`,
        [shard],
      );
      const [first] = rows;
      if (first === undefined) throw new VoidError('nobody waits for what is held');
      return first;
    }, withinMs);
  }

  /** Lets go of everything, and undoes what was changed. */
  async release(): Promise<void> {
    await this.client.query('ROLLBACK').catch(() => undefined);
    await this.client.end().catch(() => undefined);
  }
}
