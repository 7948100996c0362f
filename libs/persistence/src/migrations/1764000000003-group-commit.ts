import type { MigrationInterface, QueryRunner } from 'typeorm';
import { COMMIT_ALL } from './commit-function.sql.js';

/** Commits what waited together in one transaction; `pawl_commit` stays for one changeset alone. */
export class GroupCommit1764000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(COMMIT_ALL);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION pawl_commit_all');
  }
}
