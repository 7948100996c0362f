import type { MigrationInterface, QueryRunner } from 'typeorm';
import { RAISE_FENCE_ON_SERVER } from './1764000000004-fence-server.js';
import { COMMIT, COMMIT_ALL } from './commit-function.sql.js';
import {
  ACCEPT_RESTORE,
  CHECK_KNOWN,
  COMMIT_ALL_COUNTED,
  COMMIT_COUNTED,
  COUNT_COMMIT,
  DECLARE_BEHIND,
  RAISE_FENCE_REMEMBERED,
} from './truth-behind.sql.js';

const REPLACED = ['pawl_commit', 'pawl_commit_all', 'pawl_raise_fence'];
const ADDED = [
  'pawl_check_known',
  'pawl_count_commit',
  'pawl_declare_behind',
  'pawl_accept_restore',
];

/** Counts commits, so that a PostgreSQL that lost some is found out, and keeps what was found. */
export class TruthBehind1764000000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE shard_fence ADD COLUMN commits bigint NOT NULL DEFAULT 0, ADD COLUMN behind text',
    );
    for (const name of REPLACED) await runner.query(`DROP FUNCTION ${name}`);
    const made = [CHECK_KNOWN, COUNT_COMMIT, COMMIT_COUNTED, COMMIT_ALL_COUNTED];
    for (const definition of [...made, RAISE_FENCE_REMEMBERED, DECLARE_BEHIND, ACCEPT_RESTORE]) {
      await runner.query(definition);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of [...REPLACED, ...ADDED]) await runner.query(`DROP FUNCTION ${name}`);
    for (const definition of [COMMIT, COMMIT_ALL, RAISE_FENCE_ON_SERVER]) {
      await runner.query(definition);
    }
    await runner.query('ALTER TABLE shard_fence DROP COLUMN commits, DROP COLUMN behind');
  }
}
