import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SAVE_RUNS, SWEEP_PUBLISHED, SWEEP_RUNS } from './consumer-runs.sql.js';

const UP = [
  `ALTER TABLE installation
    ADD COLUMN runs_since timestamptz(3) NOT NULL DEFAULT now()`,
  `CREATE TABLE consumer_run (
    address text COLLATE "C" NOT NULL,
    workload text COLLATE "C" NOT NULL,
    consumer_id text COLLATE "C" NOT NULL,
    incarnation text COLLATE "C" NOT NULL,
    at timestamptz(3) NOT NULL,
    shard integer NOT NULL,
    generation bigint NOT NULL,
    version bigint NOT NULL,
    cohort text NOT NULL,
    hash text,
    rejected_version bigint,
    reason text,
    has_left boolean NOT NULL,
    CONSTRAINT consumer_run_pkey
      PRIMARY KEY (address, workload, consumer_id, incarnation, at)
  )`,
  'CREATE INDEX consumer_run_shard ON consumer_run (shard, address, at)',
  `CREATE TABLE consumer_run_since (
    address text COLLATE "C" NOT NULL CONSTRAINT consumer_run_since_pkey PRIMARY KEY,
    shard integer NOT NULL,
    since timestamptz(3) NOT NULL
  )`,
  `CREATE TABLE snapshot_published (
    address text COLLATE "C" NOT NULL,
    at timestamptz(3) NOT NULL,
    shard integer NOT NULL,
    generation bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT snapshot_published_pkey PRIMARY KEY (address, at)
  )`,
  'CREATE INDEX snapshot_published_shard ON snapshot_published (shard, at)',
  SAVE_RUNS,
  SWEEP_RUNS,
  SWEEP_PUBLISHED,
];

const DOWN = [
  'DROP FUNCTION pawl_sweep_published',
  'DROP FUNCTION pawl_sweep_runs',
  'DROP FUNCTION pawl_save_runs',
  'DROP TABLE snapshot_published',
  'DROP TABLE consumer_run_since',
  'DROP TABLE consumer_run',
  'ALTER TABLE installation DROP COLUMN runs_since',
];

/** Keeps what each consumer ran since when, beside what it runs now. */
export class ConsumerRuns1764000000014 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}
