import { Client } from 'pg';

/** A row that some transaction wrote, and under which token it said it was. */
export interface AuditedWrite {
  readonly shard: number;
  /** null: no token was checked in that transaction. */
  readonly token: bigint | null;
  readonly transaction: bigint;
  readonly what: string;
}

/** A raise of a shard's fence, and what its transaction could see. */
export interface AuditedRaise {
  readonly shard: number;
  readonly token: bigint;
  /** `pg_snapshot` as text: `xmin:xmax:xip,…`. Taken under the shard's exclusive lock. */
  readonly snapshot: string;
}

export interface Audit {
  readonly writes: readonly AuditedWrite[];
  readonly raises: readonly AuditedRaise[];
}

/** Every table that nodes write but the fences, and what names a row of it. */
const TABLES = [
  { table: 'config_address', key: "changed.address || ' ' || changed.release_version" },
  { table: 'config_definition', key: "changed.address || ' ' || changed.version" },
  { table: 'config_schema', key: "changed.address || ' ' || changed.hash" },
  { table: 'config_snapshot', key: "changed.address || ' ' || changed.version" },
  { table: 'history_entry', key: "changed.kind || ' ' || changed.sequence" },
  { table: 'idempotency_record', key: 'changed.key' },
  { table: 'consumer_run', key: "changed.workload || ' ' || changed.consumer_id" },
  { table: 'consumer_status', key: "changed.workload || ' ' || changed.consumer_id" },
];

/**
 * `pawl_enter` and `pawl_enter_to_commit`, through one of which every function that writes goes, stay what
 * decides; around them a transaction notes which shard and token it came with, and triggers note each row with that.
 */
const INSTALL = [
  `CREATE TABLE chaos_write (shard integer, token bigint, xid xid8 NOT NULL, what text NOT NULL)`,
  `CREATE TABLE chaos_raise (shard integer NOT NULL, token bigint NOT NULL, seen text NOT NULL)`,
  ...wrapped('pawl_enter', [], 'void'),
  ...wrapped('pawl_enter_to_commit', ['p_generation bigint', 'p_commits bigint'], 'bigint'),
  ...TABLES.flatMap(({ table, key }) => [
    `CREATE FUNCTION chaos_note_${table}() RETURNS trigger LANGUAGE plpgsql AS $chaos$
     DECLARE
       changed ${table}%ROWTYPE;
     BEGIN
       IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
       INSERT INTO chaos_write (shard, token, xid, what)
       VALUES (nullif(current_setting('chaos.shard', true), '')::integer,
         nullif(current_setting('chaos.token', true), '')::bigint,
         pg_current_xact_id(), '${table} ' || ${key});
       RETURN NULL;
     END $chaos$`,
    `CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE OR DELETE ON ${table}
     FOR EACH ROW EXECUTE FUNCTION chaos_note_${table}()`,
  ]),
  `CREATE FUNCTION chaos_note_raise() RETURNS trigger LANGUAGE plpgsql AS $chaos$
   BEGIN
     INSERT INTO chaos_raise (shard, token, seen)
     VALUES (NEW.shard, NEW.token, pg_current_snapshot()::text);
     RETURN NULL;
   END $chaos$`,
  `CREATE TRIGGER chaos_note_first AFTER INSERT ON shard_fence
   FOR EACH ROW EXECUTE FUNCTION chaos_note_raise()`,
  `CREATE TRIGGER chaos_note_next AFTER UPDATE ON shard_fence
   FOR EACH ROW WHEN (OLD.token <> NEW.token) EXECUTE FUNCTION chaos_note_raise()`,
  // Fences that were raised before are noted as of now.
  `INSERT INTO chaos_raise (shard, token, seen)
   SELECT shard, token, pg_current_snapshot()::text FROM shard_fence`,
];

/** A function by which a transaction enters a shard, and around it one that notes shard and token. */
function wrapped(name: string, more: readonly string[], returns: string): readonly string[] {
  const parameters = [
    'p_lock integer',
    'p_installation uuid',
    'p_shard integer',
    'p_token bigint',
    ...more,
  ];
  const [names, types] = [0, 1].map((at) => parameters.map((one) => one.split(' ')[at]).join(', '));
  const inner = `chaos_${name}`;
  const call = returns === 'void' ? `PERFORM ${inner}(${names});` : `answer := ${inner}(${names});`;
  return [
    `ALTER FUNCTION ${name}(${types}) RENAME TO ${inner}`,
    `CREATE FUNCTION ${name}(${parameters.join(', ')}) RETURNS ${returns}
     LANGUAGE plpgsql VOLATILE AS $chaos$
     DECLARE
       answer bigint;
     BEGIN
       ${call}
       PERFORM set_config('chaos.shard', p_shard::text, true);
       PERFORM set_config('chaos.token', p_token::text, true);
       ${returns === 'void' ? '' : 'RETURN answer;'}
     END $chaos$`,
  ];
}

/** Has the database note who writes what, from now on; once per database. */
export async function installAudit(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('BEGIN');
    for (const statement of INSTALL) await client.query(statement);
    await client.query('COMMIT');
  });
}

/** How often a fence was raised until now. */
export async function countRaises(client: Client): Promise<number> {
  const { rows } = await client.query<{ raises: string }>(
    'SELECT count(*) AS raises FROM chaos_raise',
  );
  return Number(rows[0]?.raises);
}

export async function readAudit(client: Client): Promise<Audit> {
  const writes = await client.query<Record<'shard' | 'token' | 'xid' | 'what', string | null>>(
    'SELECT shard, token, xid::text, what FROM chaos_write',
  );
  const raises = await client.query<Record<'shard' | 'token' | 'seen', string>>(
    'SELECT shard, token, seen FROM chaos_raise',
  );
  return {
    writes: writes.rows.map(({ shard, token, xid, what }) => ({
      shard: Number(shard),
      token: token === null ? null : BigInt(token),
      transaction: BigInt(xid ?? 0),
      what: what ?? '',
    })),
    raises: raises.rows.map(({ shard, token, seen }) => ({
      shard: Number(shard),
      token: BigInt(token),
      snapshot: seen,
    })),
  };
}

/** A session of the chaos' own, past all gates. */
export async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'chaos' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
