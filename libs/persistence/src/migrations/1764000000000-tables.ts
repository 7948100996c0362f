import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  `CREATE TABLE installation (
    singleton boolean PRIMARY KEY CONSTRAINT installation_singleton_check CHECK (singleton),
    id uuid NOT NULL,
    name text NOT NULL,
    shards integer NOT NULL,
    generation bigint NOT NULL,
    created_at timestamptz(3) NOT NULL
  )`,
  `CREATE TABLE shard_fence (
    shard integer PRIMARY KEY,
    token bigint NOT NULL,
    owner text NOT NULL,
    installation uuid NOT NULL,
    raised_at timestamptz(3) NOT NULL,
    system_identifier bigint NOT NULL
  )`,
  `CREATE TABLE config_address (
    address text COLLATE "C" PRIMARY KEY,
    root text COLLATE "C" NOT NULL,
    shard integer NOT NULL,
    opened boolean NOT NULL,
    state text NOT NULL DEFAULT 'idle',
    release_version bigint NOT NULL DEFAULT 0,
    stable_version bigint,
    contribution_at bigint NOT NULL DEFAULT 0,
    lowered_at bigint,
    forced boolean NOT NULL DEFAULT false,
    blocked_versions bigint[] NOT NULL DEFAULT '{}'
  )`,
  'CREATE INDEX config_address_shard ON config_address (shard, address)',
  `CREATE TABLE config_definition (
    address text COLLATE "C",
    version bigint,
    document text,
    document_hash text,
    schema_hash text,
    author text NOT NULL,
    created_at timestamptz(3) NOT NULL,
    message text,
    PRIMARY KEY (address, version)
  )`,
  `CREATE TABLE config_schema (
    address text COLLATE "C",
    hash text COLLATE "C",
    text text NOT NULL,
    PRIMARY KEY (address, hash)
  )`,
  `CREATE TABLE config_snapshot (
    address text COLLATE "C" PRIMARY KEY,
    generation bigint NOT NULL,
    version bigint NOT NULL,
    hash text NOT NULL,
    inputs json NOT NULL,
    variant_hash text NOT NULL,
    variant_size bigint NOT NULL,
    variant_absent boolean NOT NULL,
    published_version bigint NOT NULL DEFAULT 0,
    published_at timestamptz(3)
  ) WITH (fillfactor = 70)`,
  `CREATE TABLE history_entry (
    sequence bigserial PRIMARY KEY,
    address text COLLATE "C" NOT NULL,
    at timestamptz(3) NOT NULL,
    author text NOT NULL,
    kind text NOT NULL,
    version bigint,
    release_version bigint,
    action text,
    message text,
    reason text,
    forced boolean NOT NULL
  )`,
  'CREATE INDEX history_entry_address ON history_entry (address, sequence)',
  `CREATE TABLE idempotency_record (
    key text COLLATE "C" PRIMARY KEY,
    shard integer NOT NULL,
    root text COLLATE "C" NOT NULL,
    request_hash text NOT NULL,
    status integer NOT NULL,
    body text NOT NULL,
    created_at timestamptz(3) NOT NULL
  )`,
  'CREATE INDEX idempotency_record_age ON idempotency_record (shard, created_at)',
  `CREATE TABLE consumer_status (
    root text COLLATE "C",
    workload text COLLATE "C",
    consumer_id text COLLATE "C",
    incarnation text COLLATE "C",
    shard integer NOT NULL,
    last_seen_at timestamptz(3) NOT NULL,
    build text,
    slot integer,
    labels json NOT NULL,
    runs json NOT NULL,
    PRIMARY KEY (root, workload, consumer_id, incarnation)
  )`,
  `CREATE INDEX consumer_status_shard
    ON consumer_status (shard, root, workload, consumer_id, incarnation)`,
];

/**
 * The tables behind the entities. No foreign keys: the only writers are the functions of the next
 * migration, and a key check would lock rows that every writer of an address shares.
 */
export class Tables1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of TABLES) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of TABLES.toReversed()) {
      const table = /^CREATE TABLE (\w+)/.exec(statement)?.[1];
      if (table !== undefined) await runner.query(`DROP TABLE ${table}`);
    }
  }
}
